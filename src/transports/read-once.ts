/** What is known now, to its end, and no more: NDJSON as it arrives, or JSON where a server has no other (PROTOCOL.md §3). */

import { TransportError } from '../errors.ts'
import { type Frame, isControl } from '../protocol/frames.ts'
import { parseText } from '../protocol/parse.ts'
import type { Asked } from '../protocol/urls.ts'
import type { Batch, OpenRequest, Transport } from '../types.ts'
import { answerOf, checkMore, createCursors, isNews, piecesOf } from './batches.ts'
import { type Answer, MAX_EVENT_CHARS } from './http.ts'
import { JSON_TYPE, overLists, readEvents } from './lists.ts'

const NDJSON = 'application/x-ndjson'

/** One answer after the other, until there is no more. */
export const readOnce = (): Transport => ({ name: 'read-once', isSupported: () => true, open: overLists(read) })

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
      const { more, next } = yield* answerOf(answer)
      isMore = more
      jobs = next
    }
  }
}

/** The frames of each piece, as it arrives; then whether there is more. */
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
        hasNews ||= isNews(frame)
        frames.push(frame)
      }
  }
  const addLines = (lines: string, frames: Frame[]): void => {
    try {
      // All at once costs half of what each by itself does.
      add(`[${lines.replaceAll('\n', ',')}]`, frames)
    } catch {
      // One of them is blank, or none of the protocol's: those before it count.
      for (const line of lines.split('\n')) if (line.trim()) add(line, frames)
    }
  }
  yield* piecesOf(answer, (chunk, frames) => {
    // Only the new piece is searched: a long line would be searched again with each of its pieces.
    const end = chunk.lastIndexOf('\n')
    if (end >= 0) addLines(rest + chunk.slice(0, end), frames)
    rest = end >= 0 ? chunk.slice(end + 1) : rest + chunk
    if (rest.length > MAX_EVENT_CHARS) throw new TransportError('protocol', `a line of more than ${MAX_EVENT_CHARS} characters`)
  })
  const frames: Frame[] = []
  try {
    addLines(rest, frames)
  } catch {
    // half a line
  }
  yield frames
  if (isMore === undefined) throw new TransportError('cut', 'the body ended before its last line')
  checkMore(isMore, hasNews)
  return isMore
}
