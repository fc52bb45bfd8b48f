/** Turns what was read into batches of frames, and keeps the cursors to go on from. */

import { TransportError } from '../errors.ts'
import { type Frame, isControl } from '../protocol/frames.ts'
import { type Answer as Parsed, parseAnswer, type Redact } from '../protocol/parse.ts'
import type { Asked } from '../protocol/urls.ts'
import type { Batch } from '../types.ts'
import type { Answer } from './http.ts'

/** Makes a batch of frames that were parsed from `textLength` characters. Credentials in the texts of errors are redacted. */
export function batchOf(frames: Frame[], textLength: number, redact: Redact): Batch {
  for (const frame of frames)
    if (isControl(frame) && frame.control === 'error') {
      frame.code = redact(frame.code)
      frame.message = redact(frame.message)
    }
  return Object.assign(frames, { textLength })
}

/** Yields the frames of each piece of the body as it arrives. */
export async function* batchesOf({ chunks, redact }: Answer, feed: (chunk: string, frames: Frame[]) => void): AsyncGenerator<Batch, void> {
  for await (const chunk of chunks) {
    const frames: Frame[] = []
    try {
      feed(chunk, frames)
    } finally {
      yield batchOf(frames, chunk.length, redact) // the frames before a failure count too
    }
  }
}

/** Whether a frame takes its reading further: an event, or the end of a job's reading. */
export const bringsNews = (frame: Frame): boolean => !isControl(frame) || frame.control === 'done' || frame.control === 'error'

/** Throws for an answer that says `more: true` without taking its reading further: it would be requested again for ever. */
export function checkMore(more: boolean, hasNews: boolean): void {
  if (more && !hasNews) throw new TransportError('protocol', 'an answer has more: true, but no event')
}

/** Reads the body of a JSON reading and yields its frames. While a long body arrives it yields empty batches: that is no silence. */
export async function* readAnswer({ chunks, redact }: Answer, onChunk?: () => void): AsyncGenerator<Batch, Parsed> {
  let text = ''
  for await (const chunk of chunks) {
    onChunk?.()
    if (text) yield []
    text += chunk
  }
  const parsed = parseAnswer(text, redact)
  yield batchOf(parsed.frames, text.length, redact)
  checkMore(parsed.more && parsed.next.length > 0, parsed.frames.some(bringsNews))
  return parsed
}

/** The positions of a reading in its jobs, from which it can be resumed. */
export interface Cursors<J> {
  /** The jobs that have neither ended nor failed, each after its last event. */
  left(): J[]
  /** Moves the positions past these frames. */
  take(frames: readonly Frame[]): void
}

/** The positions of a reading that begins with these jobs. */
export function createCursors<J extends Asked>(jobs: readonly J[]): Cursors<J> {
  const cursors = new Map(jobs.map((each) => [each.job, { ...each }]))
  const move = (job: string, after: string): void => {
    const cursor = cursors.get(job)
    if (cursor) cursor.after = after
  }
  return {
    left: () => [...cursors.values()],
    take(frames) {
      for (const frame of frames)
        if (!isControl(frame)) move(frame.job, frame.id)
        else if (frame.control === 'subscribed') move(frame.job, frame.cursor)
        else if ((frame.control === 'done' || frame.control === 'error') && frame.job) cursors.delete(frame.job)
    }
  }
}
