/** WebSocket (PROTOCOL.md §5). */

import { createQueue } from '../async/queue.ts'
import { onAbort } from '../async/signals.ts'
import { TransportError } from '../errors.ts'
import { type Control, type Frame, isControl, type Operation } from '../protocol/frames.ts'
import { parseText } from '../protocol/parse.ts'
import { BEARER_PREFIX, SUBPROTOCOL } from '../protocol/rules.ts'
import { eventsUrl, listsOf, place } from '../protocol/urls.ts'
import type { Batch, Link, OpenRequest, Transport } from '../types.ts'
import { batchOf } from './batches.ts'
import { base64url, redactorOf } from './redact.ts'

type Jobs = OpenRequest['jobs']

/** A WebSocket has no backpressure. A server that ignores the window is cut off at this many unread messages, before they fill the memory. */
const MAX_UNREAD_MESSAGES = 100_000

/** The close codes of a server that restarts (1001, 1012) or is overloaded (1013), and the longest time to stay away. */
const AWAY_MS: Readonly<Record<number, number>> = { 1001: 1000, 1012: 1000, 1013: 10_000 }

/** The control that a close code stands for, where the server has not sent one (PROTOCOL.md §5). */
function controlOf(code: number, message: string): Control | undefined {
  const retryMs = AWAY_MS[code]
  if (retryMs) return { control: 'bye', reason: 'shutdown', retryMs }
  if (code >= 4400 && code < 4600) return { control: 'error', status: code - 4000, code: 'closed', message }
}

/** The window until the first job is subscribed. Until then the server may send what a single read brings at the same time. */
const FIRST_WINDOW_BYTES = 2 ** 18

/** WebSocket: one socket, whose jobs can be changed in place. */
export const webSocket = (): Transport => ({
  name: 'websocket',
  traits: { hidesStatus: true },
  isSupported: ({ WebSocket }) => typeof WebSocket === 'function',
  open: openWebSocket
})

function openWebSocket(request: OpenRequest): Link {
  const { signal, windowBytes } = request
  const redact = redactorOf(request)
  const batches = createQueue<Batch>(({ textLength = 0 }) => textLength)
  let socket: WebSocket | undefined
  let isOpen = false
  let hasBegun = false
  let hasReturned = false
  let wanted = request.jobs
  /** The jobs that the server was told to read: in the URL, then by operations. */
  let subscribed: Jobs = []
  /** How many characters have come, and how many of them had been read when the window was last extended. */
  let received = 0
  let granted = 0
  /** True once a job is subscribed: the window gets its whole size. */
  let hasSubscribed = false
  let last: Frame | undefined
  let release = (): void => {}

  const send = (operation: Operation): void => socket?.send(JSON.stringify(operation))

  function sendChanges(): void {
    if (!isOpen) return
    for (const operation of changes(subscribed, wanted)) send(operation)
    subscribed = wanted
  }

  function end(error?: unknown): void {
    batches.end(error)
    release()
    // Also while it is connecting: a connecting socket delays every other one to the same host (RFC 6455 §4.1).
    socket?.close(1000)
  }

  function begin(): void {
    hasBegun = true
    release = onAbort(signal, end)
    if (signal.aborted) return
    subscribed = listsOf(wanted)[0] as Jobs // as: there is at least one list; the jobs of the others are subscribed by message
    socket = connect({ ...request, windowBytes: windowBytes < Infinity ? Math.min(windowBytes, FIRST_WINDOW_BYTES) : windowBytes }, subscribed)
    socket.onopen = () => {
      isOpen = true
      batches.push([]) // tells a socket that opens and delivers nothing from one that never opens
      sendChanges()
    }
    socket.onmessage = ({ data }) => {
      try {
        if (batches.length >= MAX_UNREAD_MESSAGES) throw new TransportError('protocol', `${MAX_UNREAD_MESSAGES} messages came and were not read`)
        const frames = parseText(data, redact)
        last = frames.at(-1) ?? last
        if (!granted && windowBytes < Infinity) hasSubscribed ||= frames.some((frame) => isControl(frame) && frame.control === 'subscribed')
        received += data.length
        batches.push(batchOf(frames, data.length))
      } catch (error) {
        end(error)
      }
    }
    socket.onerror = () => {} // the close event says more; but the `ws` package throws where nobody listens
    socket.onclose = ({ code, reason }) => {
      const message = `${place(socket?.url ?? '')} ${isOpen ? 'was closed with' : 'did not open:'} ${code} ${redact(reason)}`
      const hasToldWhy = last && isControl(last) && (last.control === 'bye' || last.control === 'error')
      const control = controlOf(code, message)
      if (control && !hasToldWhy) batches.push([control])
      end(control || hasToldWhy || code === 1000 ? undefined : new TransportError(isOpen ? 'cut' : 'refused', message))
    }
  }

  // Not a generator: it would cost each message three turns of the microtask queue.
  const frames: Required<Pick<AsyncIterator<Batch, undefined>, 'next' | 'return'>> = {
    next() {
      if (hasReturned) return frames.return()
      try {
        if (!hasBegun) begin()
      } catch (error) {
        end(error)
      }
      // Whatever was taken before this call counts as read.
      const read = received - batches.weight
      if (isOpen && (granted ? 4 * (read - granted) >= windowBytes : hasSubscribed)) {
        granted = read
        send({ op: 'window', bytes: windowBytes })
      }
      return batches.next()
    },
    async return() {
      hasReturned = true
      end()
      return { done: true, value: undefined }
    }
  }

  return {
    frames: { [Symbol.asyncIterator]: () => frames },
    update(jobs) {
      wanted = jobs
      sendChanges()
    }
  }
}

/** The operations that change the server's list of jobs into the wanted one. */
function* changes(subscribed: Jobs, wanted: Jobs): Generator<Operation> {
  const jobs = new Set(wanted.map(({ job }) => job))
  const refs = new Set(subscribed.map(({ ref }) => ref))
  for (const { job } of subscribed) if (!jobs.has(job)) yield { op: 'unsubscribe', job }
  for (const { job, after, ref } of wanted) if (!refs.has(ref)) yield { op: 'subscribe', job, ...(after !== undefined && { after }), ref }
}

function connect({ base, token, windowBytes, isFresh, WebSocket }: OpenRequest, jobs: Jobs): WebSocket {
  const url = eventsUrl(base, jobs, windowBytes)
  if (isFresh) url.searchParams.append('fresh', `${Math.random()}`)
  url.protocol = url.protocol.replace('http', 'ws')
  try {
    // as: where there is none this throws too
    return new (WebSocket as typeof globalThis.WebSocket)(url, [SUBPROTOCOL, ...(token ? [BEARER_PREFIX + base64url(token)] : [])])
  } catch (cause) {
    throw new TransportError('unsupported', `${place(url)}: no WebSocket can be made here (mixed content)`, { cause })
  }
}
