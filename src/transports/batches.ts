/** Turns what was read into batches of frames. */

import type { Frame } from '../protocol/frames.ts'
import { parseAnswer } from '../protocol/parse.ts'
import type { Batch } from '../types.ts'
import type { Cursors } from './cursors.ts'
import type { Answer } from './http.ts'

/** Makes a batch of frames that were parsed from `textLength` characters. */
export const batchOf = (frames: Frame[], textLength: number): Batch => Object.assign(frames, { textLength })

/** Yields the frames of each piece of the body as it arrives. A piece without a frame is an empty batch: that is no silence. */
export async function* batchesOf({ chunks }: Answer, feed: (chunk: string, frames: Frame[]) => void): AsyncGenerator<Batch, void> {
  for await (const chunk of chunks) {
    const frames: Frame[] = []
    try {
      feed(chunk, frames)
    } finally {
      yield batchOf(frames, chunk.length) // the frames before a failure count too
    }
  }
}

/** Yields the frames of a JSON reading, after an empty batch for each piece of its body. */
export async function* readAnswer(answer: Answer, cursors: Cursors): AsyncGenerator<Batch, void> {
  let text = ''
  yield* batchesOf(answer, (chunk) => {
    text += chunk
  })
  yield batchOf(cursors.take(parseAnswer(text, answer.redact)), text.length)
}
