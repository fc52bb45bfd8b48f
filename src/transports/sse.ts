/** Server-sent events over fetch (PROTOCOL.md §4): unlike EventSource, with headers, an end that is told apart from a failure, and backpressure where the browser has it. */

import { createParser } from 'eventsource-parser'
import { TransportError } from '../errors.ts'
import { type Frame, isControl } from '../protocol/frames.ts'
import { parseText } from '../protocol/parse.ts'
import type { OpenRequest, Transport } from '../types.ts'
import { ask, chunksOf } from './http.ts'

/** The longest event taken: 16 Mi characters. */
const MAX_EVENT_CHARS = 2 ** 24

/** One streamed answer. */
export const sse = (): Transport => ({ name: 'sse', isSupported: () => true, open: (request) => ({ frames: read(request) }) })

async function* read(request: OpenRequest): AsyncGenerator<readonly Frame[], void> {
  const answer = await ask({ ...request, via: 'sse', accept: 'text/event-stream' })
  if (isControl(answer)) return yield [answer]
  yield [] // it has opened; no frame proves it yet

  let frames: Frame[] = []
  const parser = createParser({
    maxBufferSize: MAX_EVENT_CHARS,
    onEvent({ event = 'message', data }) {
      if (event === 'message' || event === 'control') frames.push(...parseText(data))
    },
    onError({ type, message }) {
      if (type === 'max-buffer-size-exceeded') throw new TransportError('protocol', message)
    }
  })
  for await (const chunk of chunksOf(answer, request.signal)) {
    frames = []
    try {
      parser.feed(chunk)
    } finally {
      yield frames // what came before a failure as well
    }
  }
}
