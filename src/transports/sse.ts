/** Server-sent events over fetch (PROTOCOL.md §4): unlike EventSource, with headers, an end that is told apart from a failure, and backpressure where the browser has it. */

import { createParser } from 'eventsource-parser'
import { isTransportError, TransportError } from '../errors.ts'
import { type Control, type Frame, isControl } from '../protocol/frames.ts'
import { parseText } from '../protocol/parse.ts'
import { TAIL } from '../protocol/rules.ts'
import { single } from '../protocol/urls.ts'
import type { Batch, OpenRequest, Transport } from '../types.ts'
import { createCursors, piecesOf } from './batches.ts'
import { MAX_EVENT_CHARS } from './http.ts'
import { overLists, readEvents } from './lists.ts'

/** Streamed answers, each as long as the window: the next one is opened when half of it has been read, and takes over once it is subscribed. */
export const sse = (): Transport => ({ name: 'sse', isSupported: () => true, open: overLists(read) })

/** One streamed answer. */
interface Stream {
  batches: AsyncGenerator<Batch, void>
  /** Aborted where the next one has taken over. */
  life: AbortController
}

async function* read(request: OpenRequest): AsyncGenerator<Batch, void> {
  const { windowBytes, signal } = request
  const cursors = createCursors(request.jobs)
  let current = open(request)
  let next: Stream | undefined
  try {
    for (;;) {
      let chars = 0
      try {
        for await (const batch of current.batches) {
          cursors.take(batch)
          chars += batch.textLength ?? 0
          // The server counts bytes, of which a character has up to three.
          const isUsedUp = 4 * chars >= windowBytes && batch.some((frame) => isControl(frame) && frame.control === 'bye' && frame.reason === 'window')
          if (!next && (isUsedUp || 2 * chars >= windowBytes)) {
            const jobs = cursors.left()
            if (jobs.length > 0) next = openBeside({ ...request, jobs }, current)
          }
          yield isUsedUp && next ? batch.slice(0, -1) : batch
        }
      } catch (error) {
        // Cut off by the next one; or by something else, and then the next one is what is left.
        if (!next || signal.aborted) throw error
      }
      if (!next) return
      current = next
      next = undefined
    }
  } finally {
    current.life.abort()
    next?.life.abort()
  }
}

function open(request: OpenRequest): Stream {
  const life = new AbortController()
  return { life, batches: readBody({ ...request, signal: AbortSignal.any([request.signal, life.signal]) }) }
}

/** Opens the stream after another one, which it cuts off once every job is subscribed. */
function openBeside(request: OpenRequest, before: Stream): Stream {
  const { life, batches } = open(request)
  const missing = new Set(request.jobs.map(({ job }) => job))
  const readHead = async (): Promise<Batch[]> => {
    const head: Batch[] = []
    while (missing.size > 0) {
      const { done, value } = await batches.next()
      if (done) return head
      head.push(value)
      for (const frame of value) if (isControl(frame) && 'job' in frame) missing.delete(`${frame.job}`)
    }
    before.life.abort()
    return head
  }
  const head = readHead()
  head.catch(() => {}) // thrown where it is read
  return { life, batches: chain(head, batches) }
}

async function* chain(head: Promise<Batch[]>, rest: AsyncGenerator<Batch, void>): AsyncGenerator<Batch, void> {
  yield* await head
  yield* rest
}

async function* readBody(request: OpenRequest): AsyncGenerator<Batch, void> {
  const { jobs } = request
  const answer = await readEvents(request, jobs, { via: 'sse', accept: 'text/event-stream' }).catch((error): Control => {
    const only = single(jobs)
    if (only && isTransportError(error) && error.status === 204) return { control: 'done', job: only.job, cursor: only.after ?? TAIL }
    throw error
  })
  if (isControl(answer)) return yield [answer]
  yield [] // it has opened; no frame proves it yet

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
  yield* piecesOf(answer, (chunk, frames) => {
    into = frames
    parser.feed(chunk)
  })
}
