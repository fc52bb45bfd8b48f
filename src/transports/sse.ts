/** Server-sent events over fetch (PROTOCOL.md §4): unlike EventSource, with headers, an end that is told apart from a failure, and backpressure where the browser has it. */

import { createParser } from 'eventsource-parser'
import { TransportError } from '../errors.ts'
import type { Frame } from '../protocol/frames.ts'
import { parseText } from '../protocol/parse.ts'
import { TAIL } from '../protocol/rules.ts'
import type { OpenRequest, Transport } from '../types.ts'
import { ask, chunksOf, errorIn } from './http.ts'
import { framesFrom } from './link.ts'

/** The longest event taken: 16 Mi characters. */
const MAX_EVENT_CHARS = 2 ** 24

/** One streamed answer. Jobs are changed by another one. */
export const sse = (): Transport => ({
  name: 'sse',
  isSupported: () => typeof fetch === 'function' && typeof ReadableStream === 'function',
  open: (request) => ({ frames: framesFrom(request.signal, (signal) => read(request, signal)) })
})

async function* read(request: OpenRequest, signal: AbortSignal): AsyncGenerator<readonly Frame[], void> {
  const { jobs } = request
  const accept = 'text/event-stream'
  const response = await ask(request, { jobs, via: 'sse', accept, waitS: 0 }, signal)
  const [first, ...others] = jobs
  if (response.status === 204 && first && others.length === 0) return yield [{ control: 'done', job: first.job, cursor: first.after || TAIL }]
  const error = await errorIn(response, accept)
  if (error) return yield [error]
  yield [] // it has opened; no frame proves it yet

  let frames: Frame[] = []
  const parser = createParser({
    maxBufferSize: MAX_EVENT_CHARS,
    onEvent({ event = 'message', data }) {
      if (event === 'message' || event === 'control') for (const frame of parseText(data)) frames.push(frame)
    },
    onError({ type, message }) {
      if (type === 'max-buffer-size-exceeded') throw new TransportError('protocol', message)
    }
  })
  for await (const chunk of chunksOf(response)) {
    frames = []
    try {
      parser.feed(chunk)
    } finally {
      yield frames // what came before a failure as well
    }
  }
}
