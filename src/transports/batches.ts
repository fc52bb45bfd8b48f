/** What a link hands on, and where that leaves it. */

import { TransportError } from '../errors.ts'
import { type Frame, isControl } from '../protocol/frames.ts'
import { type Answer as Parsed, parseAnswer, type Redact } from '../protocol/parse.ts'
import type { Asked } from '../protocol/urls.ts'
import type { Batch } from '../types.ts'
import type { Answer } from './http.ts'

/** Frames that came as so long a text; what an error quotes is left out as `redact` has it. */
export function batchOf(frames: Frame[], textLength: number, redact: Redact): Batch {
  for (const frame of frames)
    if (isControl(frame) && frame.control === 'error') {
      frame.code = redact(frame.code)
      frame.message = redact(frame.message)
    }
  return Object.assign(frames, { textLength })
}

/** The frames of each piece of the body as it arrives. */
export async function* piecesOf({ chunks, redact }: Answer, feed: (chunk: string, frames: Frame[]) => void): AsyncGenerator<Batch, void> {
  for await (const chunk of chunks) {
    const frames: Frame[] = []
    try {
      feed(chunk, frames)
    } finally {
      yield batchOf(frames, chunk.length, redact) // what came before a failure as well
    }
  }
}

/** Whether an answer goes on for having it: an event, or the end of a job or of the reading of one. */
export const isNews = (frame: Frame): boolean => !isControl(frame) || frame.control === 'done' || frame.control === 'error'

/** Throws for an answer that would be asked on for ever. */
export function checkMore(more: boolean, hasNews: boolean): void {
  if (more && !hasNews) throw new TransportError('protocol', 'an answer says that there is more, but has no event')
}

/** The frames of a JSON reading, once it is there; a long body is no silence. */
export async function* answerOf({ chunks, redact }: Answer, onChunk?: () => void): AsyncGenerator<Batch, Parsed> {
  let text = ''
  for await (const chunk of chunks) {
    onChunk?.()
    if (text) yield []
    text += chunk
  }
  const parsed = parseAnswer(text, redact)
  yield batchOf(parsed.frames, text.length, redact)
  checkMore(parsed.more && parsed.next.length > 0, parsed.frames.some(isNews))
  return parsed
}

/** Where a reading is in each of its jobs, so that it can be gone on with. */
export interface Cursors<J> {
  /** The jobs that have neither ended nor failed, each from where it is. */
  left(): J[]
  take(frames: readonly Frame[]): void
}

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
