/** Server-sent events over fetch (PROTOCOL.md §4): unlike EventSource, with headers, an end that is told apart from a failure, and backpressure where the browser has it. */

import { createParser } from 'eventsource-parser'
import { TransportError } from '../errors.ts'
import type { Frame } from '../protocol/frames.ts'
import { parseText } from '../protocol/parse.ts'
import { TAIL } from '../protocol/rules.ts'
import type { OpenRequest, Transport } from '../types.ts'
import { ask, chunksOf, errorIn, type Question } from './http.ts'
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
  const question: Question = { via: 'sse', accept: 'text/event-stream', jobs: request.jobs, waitS: 0 }
  const [job, ...others] = request.jobs
  const response = await ask(request, question, signal)
  if (response.status === 204 && job && others.length === 0) return yield [{ control: 'done', job: job.job, cursor: job.after || TAIL }]
  const error = await errorIn(response, question, signal)
  if (error) return yield [error]
  yield [] // it has opened; no frame proves it yet

  const parser = createFrameParser()
  for await (const chunk of chunksOf(response, signal)) {
    const { frames, failure } = parser(chunk)
    yield frames
    if (failure) throw failure
  }
}

/** Text in, whole frames out; what came before a failure is still given. */
export function createFrameParser(): (chunk: string) => { frames: Frame[]; failure: unknown } {
  let frames: Frame[] = []
  let failure: unknown
  const parser = createParser({
    maxBufferSize: MAX_EVENT_CHARS,
    onEvent({ event = 'message', data }) {
      if (event === 'message' || event === 'control') for (const frame of parseText(data)) frames.push(frame)
    },
    onError({ type, message }) {
      if (type === 'max-buffer-size-exceeded') failure = new TransportError('protocol', message)
    }
  })
  return (chunk) => {
    frames = []
    try {
      parser.feed(chunk)
    } catch (error) {
      failure = error
    }
    return { frames, failure }
  }
}
