/** Splits NDJSON into frames (PROTOCOL.md §3). */

import { TransportError } from '../errors.ts'
import { type Frame, isControl } from '../protocol/frames.ts'
import { parseText } from '../protocol/parse.ts'
import type { Batch } from '../types.ts'
import { batchesOf } from './batches.ts'
import { bringsNews, checkMore } from './cursors.ts'
import { type Answer, MAX_EVENT_CHARS } from './http.ts'

export const NDJSON = 'application/x-ndjson'

/** Yields the frames of each piece as it arrives. Returns what the line `end` says, whether the server has more; `undefined` where there was none. */
export async function* linesOf(answer: Answer, take: (frames: readonly Frame[]) => void): AsyncGenerator<Batch, boolean | undefined> {
  let rest = ''
  let isMore: boolean | undefined
  let hasNews = false
  const add = (text: string, frames: Frame[]): void => {
    const found = parseText(text, answer.redact)
    take(found)
    for (const frame of found)
      if (isControl(frame) && frame.control === 'end') isMore = frame.more
      else {
        hasNews ||= bringsNews(frame)
        frames.push(frame)
      }
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
  checkMore(!!isMore, hasNews)
  return isMore
}
