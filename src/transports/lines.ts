/** Splits NDJSON into frames (PROTOCOL.md §3). */

import { TransportError } from '../errors.ts'
import type { Frame } from '../protocol/frames.ts'
import { parseText } from '../protocol/parse.ts'
import type { Batch } from '../types.ts'
import { batchesOf } from './batches.ts'
import type { Cursors } from './cursors.ts'
import { type Answer, MAX_EVENT_CHARS } from './http.ts'

export const NDJSON = 'application/x-ndjson'

/** Yields the frames of each piece as it arrives. */
export async function* linesOf(answer: Answer, cursors: Cursors): AsyncGenerator<Batch, void> {
  let rest = ''
  const add = (text: string, frames: Frame[]): void => {
    frames.push(...cursors.take(parseText(text, answer.redact)))
  }
  const addLines = (lines: string, frames: Frame[]): void => {
    try {
      // Parsing all lines at once takes half of the time of parsing each one.
      add(`[${lines.replaceAll('\n', ',')}]`, frames)
    } catch {
      // A line is blank or malformed: the lines before it count.
      for (const line of lines.split('\n')) if (line.trim()) add(line, frames)
    }
  }
  yield* batchesOf(answer, (chunk, frames) => {
    // Only the new piece is searched for a line feed: searching a long line again with each piece would take quadratic time.
    const end = chunk.lastIndexOf('\n')
    if (end >= 0) addLines(rest + chunk.slice(0, end), frames)
    rest = end >= 0 ? chunk.slice(end + 1) : rest + chunk
    if (rest.length > MAX_EVENT_CHARS) throw new TransportError('protocol', `a line of more than ${MAX_EVENT_CHARS} characters`)
  })
  const frames: Frame[] = []
  try {
    addLines(rest, frames)
  } catch {
    // the body ended within a line
  }
  yield frames
}
