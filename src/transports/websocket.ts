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

/** A socket has no backpressure of its own: what a server sends beyond the window, and nobody reads, is given up before it fills the memory. */
const MAX_UNREAD_MESSAGES = 100_000

/** Restarting, restarting, later: how long to stay away at most, by the close's code. */
const AWAY_MS: Readonly<Record<number, number>> = { 1001: 1000, 1012: 1000, 1013: 10_000 }

/** What a close's code says, for a server that has not said it before (PROTOCOL.md §5). */
function controlOf(code: number, message: string): Control | undefined {
  const retryMs = AWAY_MS[code]
  if (retryMs) return { control: 'bye', reason: 'shutdown', retryMs }
  if (code >= 4400 && code < 4600) return { control: 'error', status: code - 4000, code: 'closed', message }
}

/** What comes before the first job is read may be what a single read has brought meanwhile: the window is opened to its whole size after that. */
const FIRST_WINDOW_BYTES = 2 ** 18

/** One socket, whose jobs can be changed in place. */
export const webSocket = (): Transport => ({
  name: 'websocket',
  traits: { hidesStatus: true },
  isSupported: ({ WebSocket }) => typeof WebSocket === 'function',
  open: openWebSocket
})

function openWebSocket(request: OpenRequest): Link {
  const { signal, windowBytes } = request
  const redact = redactorOf(request)
  const inbox = createQueue<Batch>(({ textLength = 0 }) => textLength)
  let socket: WebSocket | undefined
  let isOpen = false
  let hasBegun = false
  let isLeft = false
  let wanted = request.jobs
  /** What the server has been told to read: by the URL, then by operations. */
  let told: Jobs = []
  /** Characters that have come, and how many of them had been read when the window was last opened. */
  let received = 0
  let granted = 0
  /** A job is read: the window is opened. */
  let hasSubscribed = false
  let last: Frame | undefined
  let release = (): void => {}

  const send = (operation: Operation): void => socket?.send(JSON.stringify(operation))

  function tell(): void {
    if (!isOpen) return
    for (const operation of changes(told, wanted)) send(operation)
    told = wanted
  }

  function end(error?: unknown): void {
    inbox.end(error)
    release()
    // Also while it is connecting: a stuck one keeps every other socket to its host waiting (RFC 6455, 4.1).
    socket?.close(1000)
  }

  function begin(): void {
    hasBegun = true
    release = onAbort(signal, end)
    if (signal.aborted) return
    told = listsOf(wanted)[0] as Jobs // as: there is always one; the others follow by message
    socket = connect({ ...request, windowBytes: windowBytes < Infinity ? Math.min(windowBytes, FIRST_WINDOW_BYTES) : windowBytes }, told)
    socket.onopen = () => {
      isOpen = true
      inbox.push([]) // what opens and then delivers nothing is told from what never opens
      tell()
    }
    socket.onmessage = ({ data }) => {
      try {
        if (inbox.length >= MAX_UNREAD_MESSAGES) throw new TransportError('protocol', `${MAX_UNREAD_MESSAGES} messages came and were not read`)
        const frames = parseText(data, redact)
        last = frames.at(-1) ?? last
        if (!granted && windowBytes < Infinity) hasSubscribed ||= frames.some((frame) => isControl(frame) && frame.control === 'subscribed')
        received += data.length
        inbox.push(batchOf(frames, data.length, redact))
      } catch (error) {
        end(error)
      }
    }
    socket.onerror = () => {} // the close that follows says more; but the ws package throws where nobody listens
    socket.onclose = ({ code, reason }) => {
      const message = `${place(socket?.url ?? '')} ${isOpen ? 'was closed with' : 'did not open:'} ${code} ${redact(reason)}`
      const hasSaid = last && isControl(last) && (last.control === 'bye' || last.control === 'error')
      const word = controlOf(code, message)
      if (word && !hasSaid) inbox.push([word])
      end(word || hasSaid || code === 1000 ? undefined : new TransportError(isOpen ? 'cut' : 'refused', message))
    }
  }

  // By hand: a generator in between would cost each message three turns of the microtask queue.
  const frames: Required<Pick<AsyncIterator<Batch, undefined>, 'next' | 'return'>> = {
    next() {
      if (isLeft) return frames.return()
      try {
        if (!hasBegun) begin()
      } catch (error) {
        end(error)
      }
      // What was taken before this call has been read.
      const read = received - inbox.weight
      if (isOpen && (granted ? 4 * (read - granted) >= windowBytes : hasSubscribed)) {
        granted = read
        send({ op: 'window', bytes: windowBytes })
      }
      return inbox.next()
    },
    async return() {
      isLeft = true
      end()
      return { done: true, value: undefined }
    }
  }

  return {
    frames: { [Symbol.asyncIterator]: () => frames },
    update(jobs) {
      wanted = jobs
      tell()
    }
  }
}

/** What takes the server from the jobs that it was told of to those that are wanted. */
function* changes(told: Jobs, wanted: Jobs): Generator<Operation> {
  const jobs = new Set(wanted.map(({ job }) => job))
  const refs = new Set(told.map(({ ref }) => ref))
  for (const { job } of told) if (!jobs.has(job)) yield { op: 'unsubscribe', job }
  for (const { job, after, ref } of wanted) if (!refs.has(ref)) yield { op: 'subscribe', job, ...(after !== undefined && { after }), ref }
}

function connect({ base, token, windowBytes, isFresh, WebSocket }: OpenRequest, jobs: Jobs): WebSocket {
  const url = eventsUrl(base, jobs, windowBytes)
  if (isFresh) url.searchParams.append('fresh', `${Math.random()}`)
  url.protocol = url.protocol.replace('http', 'ws')
  try {
    return new (WebSocket as typeof globalThis.WebSocket)(url, [SUBPROTOCOL, ...(token ? [BEARER_PREFIX + base64url(token)] : [])]) // as: without one this throws, too
  } catch (cause) {
    throw new TransportError('unsupported', `${place(url)}: no WebSocket can be made here (mixed content)`, { cause })
  }
}
