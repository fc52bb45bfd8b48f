/** Server-sent events over fetch (PROTOCOL.md §4): unlike EventSource, with headers, an end that is told apart from a failure, and backpressure where the browser has it. */

import { createParser } from 'eventsource-parser'
import { child } from '../async/signals.ts'
import { isTransportError, TransportError } from '../errors.ts'
import { type Control, type Frame, isControl } from '../protocol/frames.ts'
import { parseText } from '../protocol/parse.ts'
import { TAIL } from '../protocol/rules.ts'
import { single } from '../protocol/urls.ts'
import type { Batch, OpenRequest, Transport } from '../types.ts'
import { batchOf, createCursors } from './batches.ts'
import { MAX_EVENT_CHARS } from './http.ts'
import { overLists, readEvents } from './lists.ts'

/** Streamed answers, each as long as the window: the next one is opened when half of it has been read, and takes over once it is subscribed. */
export const sse = (): Transport => ({ name: 'sse', isSupported: () => true, open: overLists(read) })

/** One streamed answer. */
interface Stream {
  batches: AsyncGenerator<Batch, void>
  /** Aborted where the next one has taken over. */
  life: ReturnType<typeof child>
}

async function* read(request: OpenRequest): AsyncGenerator<Batch, void> {
  const { windowBytes } = request
  const life = child(request.signal)
  const cursors = createCursors(request.jobs)
  let current = open({ ...request, signal: life.signal })
  try {
    for (;;) {
      let next: Stream | undefined
      let chars = 0
      let hasEvents = false
      try {
        for await (const batch of current.batches) {
          cursors.take(batch)
          chars += batch.textLength ?? 0
          hasEvents ||= batch.some((frame) => !isControl(frame))
          // A window that holds no event is not to be opened again and again: that is the owner's to see.
          const isUsedUp = hasEvents && batch.some((frame) => isControl(frame) && frame.control === 'bye' && frame.reason === 'window')
          const jobs = cursors.left()
          if (!next && jobs.length > 0 && (isUsedUp || 2 * chars >= windowBytes)) next = openBeside({ ...request, jobs, signal: life.signal }, current)
          yield isUsedUp && next ? batch.slice(0, -1) : batch
        }
      } catch (error) {
        // Cut off by the next one; or by something else, and then the next one is what is left.
        if (!next || life.signal.aborted) throw error
      } finally {
        current.life.release()
      }
      if (!next) return
      current = next
    }
  } finally {
    life.abort()
    life.release()
  }
}

function open(request: OpenRequest): Stream {
  const life = child(request.signal)
  return { life, batches: readBody({ ...request, signal: life.signal }) }
}

/** Opens the stream after another one, which it cuts off once every job is subscribed. */
function openBeside(request: OpenRequest, before: Stream): Stream {
  const { life, batches } = open(request)
  const head = readHead(batches, request.jobs, before)
  head.catch(() => {}) // thrown where it is read
  return { life, batches: chain(head, batches) }
}

async function readHead(batches: AsyncIterator<Batch>, jobs: OpenRequest['jobs'], before: Stream): Promise<Batch[]> {
  const head: Batch[] = []
  const missing = new Set(jobs.map(({ job }) => job))
  while (missing.size > 0) {
    const { done, value } = await batches.next()
    if (done) return head
    head.push(value)
    for (const frame of value) if (isControl(frame) && 'job' in frame && frame.job) missing.delete(frame.job)
  }
  before.life.abort()
  return head
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

  let frames: Frame[] = []
  const parser = createParser({
    maxBufferSize: MAX_EVENT_CHARS,
    onEvent({ event = 'message', data }) {
      if (event === 'message' || event === 'control') for (const frame of parseText(data, answer.redact)) frames.push(frame)
    },
    onError({ type, message }) {
      if (type === 'max-buffer-size-exceeded') throw new TransportError('protocol', message)
    }
  })
  for await (const chunk of answer.chunks) {
    frames = []
    try {
      parser.feed(chunk)
    } finally {
      yield batchOf(frames, chunk.length) // what came before a failure as well
    }
  }
}
