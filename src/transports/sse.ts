/**
 * Server-sent events over `fetch` (PROTOCOL.md §4). Unlike `EventSource` it sends headers, tells an end from a failure, and has
 * backpressure where the browser has it.
 */

import { createParser } from 'eventsource-parser'
import { isTransportError, TransportError } from '../errors.ts'
import { type Control, type Frame, isControl } from '../protocol/frames.ts'
import { parseText } from '../protocol/parse.ts'
import { TAIL } from '../protocol/rules.ts'
import { single } from '../protocol/urls.ts'
import type { Batch, OpenRequest, Transport } from '../types.ts'
import { batchesOf } from './batches.ts'
import { MAX_EVENT_CHARS } from './http.ts'
import { readEvents, splitOverLists } from './lists.ts'

/** Server-sent events: one streamed answer, which the server ends when the window is used up. */
export const sse = (): Transport => ({ name: 'sse', isSupported: () => true, open: splitOverLists(read) })

async function* read(request: OpenRequest): AsyncGenerator<Batch, void> {
  const { jobs } = request
  const answer = await readEvents(request, jobs, { via: 'sse', accept: 'text/event-stream' }).catch((error): Control => {
    const only = single(jobs)
    if (only && isTransportError(error) && error.status === 204) return { control: 'done', job: only.job, cursor: only.after ?? TAIL }
    throw error
  })
  if (isControl(answer)) return yield [answer]
  yield [] // the connection is open; no frame proves it yet

  let into: Frame[]
  const parser = createParser({
    maxBufferSize: MAX_EVENT_CHARS,
    onEvent({ event = 'message', data }) {
      if (event === 'message' || event === 'control') for (const frame of parseText(data, answer.redact)) into.push(frame)
    },
    onError({ type, message }) {
      if (type === 'max-buffer-size-exceeded') throw new TransportError('protocol', message)
    }
  })
  yield* batchesOf(answer, (chunk, frames) => {
    into = frames
    parser.feed(chunk)
  })
}
