/** A single read: what the server knows now, to its end. NDJSON as it arrives, or JSON where a server has no NDJSON (PROTOCOL.md §3). */

import { TransportError } from '../errors.ts'
import { type Frame, isControl } from '../protocol/frames.ts'
import { parseText } from '../protocol/parse.ts'
import type { Asked } from '../protocol/urls.ts'
import type { Batch, OpenRequest, Transport } from '../types.ts'
import { batchesOf, readAnswer } from './batches.ts'
import { bringsNews, checkMore, createCursors } from './cursors.ts'
import { type Answer, MAX_EVENT_CHARS } from './http.ts'
import { JSON_TYPE, readEvents, splitOverLists } from './lists.ts'

const NDJSON = 'application/x-ndjson'

/** Makes single reads: requests one answer after the other until there is no more, then ends. */
export const readOnce = (): Transport => ({ name: 'read-once', isSupported: () => true, open: splitOverLists(read) })

async function* read(request: OpenRequest): AsyncGenerator<Batch, void> {
  let jobs: readonly Asked[] = request.jobs
  for (let isMore = true; isMore && jobs.length > 0; ) {
    const answer = await readEvents(request, jobs, { via: 'read-once', accept: `${NDJSON}, ${JSON_TYPE};q=0.5`, findsRedirects: true })
    if (isControl(answer)) return yield [answer]
    if (answer.response.headers.get('content-type')?.toLowerCase().startsWith(NDJSON)) {
      const cursors = createCursors(jobs)
      isMore = yield* linesOf(answer, cursors.take)
      jobs = cursors.left()
    } else {
      const { more, next } = yield* readAnswer(answer)
      isMore = more
      jobs = next
    }
  }
}

/** Yields the frames of each piece as it arrives, and returns whether the server has more. */
async function* linesOf(answer: Answer, take: (frames: readonly Frame[]) => void): AsyncGenerator<Batch, boolean> {
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
  if (isMore === undefined) throw new TransportError('cut', 'the body ended before its last line')
  checkMore(isMore, hasNews)
  return isMore
}
