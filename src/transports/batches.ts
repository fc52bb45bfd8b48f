/** Turns what was read into batches of frames. */

import { type Frame, isControl } from '../protocol/frames.ts'
import { type Answer as Parsed, parseAnswer, type Redact } from '../protocol/parse.ts'
import type { Batch } from '../types.ts'
import { bringsNews, checkMore } from './cursors.ts'
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
