/** WebSocket (PROTOCOL.md §5). */

import { createQueue } from '../async/queue.ts'
import { onAbort } from '../async/signals.ts'
import { TransportError } from '../errors.ts'
import { type Control, type Frame, isControl, type Operation } from '../protocol/frames.ts'
import { parseText } from '../protocol/parse.ts'
import { BEARER_PREFIX, SHORT_LIST_CHARS, SUBPROTOCOL } from '../protocol/rules.ts'
import { eventsUrl, listsOf, place } from '../protocol/urls.ts'
import type { Batch, Link, OpenRequest, Transport } from '../types.ts'
import { batchOf } from './batches.ts'
import { base64url, redactorOf } from './redact.ts'

type Jobs = OpenRequest['jobs']

/** A WebSocket has no backpressure. A server that ignores the window is cut off at this many unread messages, before they fill the memory. */
const MAX_UNREAD_MESSAGES = 100_000

/** The close codes of a server that restarts (1001, 1012) or is overloaded (1013), and the longest time to stay away. */
const AWAY_MS: Readonly<Record<number, number>> = { 1001: 1000, 1012: 1000, 1013: 10_000 }

/** The window until the first frame has come. Until then the server may send what a single read brings at the same time. */
const FIRST_WINDOW_BYTES = 2 ** 16

/** WebSocket: one socket, whose jobs can be changed in place. */
export const webSocket = (): Transport => ({
  name: 'websocket',
  traits: { hidesStatus: true },
  isSupported: ({ WebSocket }) => typeof WebSocket === 'function',
  open: openWebSocket
})

// `isFresh` changes nothing: no cache answers a handshake, and the cursors are in its URL or in messages.
function openWebSocket({ base, token, headers, windowBytes, signal, WebSocket, jobs }: OpenRequest): Link {
  const redact = redactorOf({ token, headers })
  const batches = createQueue<Batch>(({ textLength = 0 }) => textLength)
  let socket: WebSocket | undefined
  let hasBegun = false
  let isOpen = false
  let wanted = jobs
  /** The jobs that the server was told to read: in the URL, then by operations. */
  let subscribed = jobs
  /** How many characters have come, and how many of them had been read when the window was last extended. */
  let received = 0
  let granted = 0
  let last: Frame | undefined

  const send = (operation: Operation): void => socket?.send(JSON.stringify(operation))

  /** Sends the operations that change the server's list of jobs into the wanted one. */
  function sendChanges(): void {
    if (!isOpen) return
    const names = new Set(wanted.map(({ job }) => job))
    const refs = new Set(subscribed.map(({ ref }) => ref))
    for (const { job } of subscribed) if (!names.has(job)) send({ op: 'unsubscribe', job })
    for (const { job, after, ref } of wanted) if (!refs.has(ref)) send({ op: 'subscribe', job, after, ref })
    subscribed = wanted
  }

  function end(error?: unknown): void {
    hasBegun = true // nothing begins after the end
    batches.end(error)
    // Also while it is connecting: a connecting socket delays every other one to the same host (RFC 6455 §4.1).
    socket?.close(1000)
  }

  function begin(): void {
    hasBegun = true
    subscribed = listsOf(wanted, SHORT_LIST_CHARS)[0] as Jobs // as: there is at least one list; the jobs of the others are subscribed by message
    const url = eventsUrl(base, subscribed, windowBytes < Infinity ? Math.min(windowBytes, FIRST_WINDOW_BYTES) : windowBytes)
    url.protocol = url.protocol.replace('http', 'ws')
    try {
      // as: where there is none this throws too
      socket = new (WebSocket as typeof globalThis.WebSocket)(url.href, [SUBPROTOCOL, ...(token ? [BEARER_PREFIX + base64url(token)] : [])])
    } catch (cause) {
      return end(new TransportError('unsupported', `${place(url)}: no WebSocket can be made here (mixed content)`, { cause }))
    }
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
        received += data.length
        batches.push(batchOf(frames, data.length))
      } catch (error) {
        end(error)
      }
    }
    socket.onerror = () => {} // the close event says more; but the `ws` package throws where nobody listens
    socket.onclose = ({ code, reason }) => {
      const message = `${place(url)} ${isOpen ? 'was closed with' : 'did not open:'} ${code} ${redact(reason)}`
      const retryMs = AWAY_MS[code]
      // A code says what the server has not said by a frame (PROTOCOL.md §5). A server that plans to close has sent `hello` before:
      // intermediaries close with 1001 and 1012 too.
      if (code === 1000 || (last && isControl(last) && (last.control === 'bye' || last.control === 'error'))) end()
      else if (retryMs && last) endWith({ control: 'bye', reason: 'shutdown', retryMs })
      else if (code >= 4400 && code < 4600) endWith({ control: 'error', status: code - 4000, code: 'closed', message })
      else end(new TransportError(isOpen ? 'cut' : 'refused', message))
    }
  }

  function endWith(control: Control): void {
    batches.push([control])
    end()
  }

  onAbort(signal, end)
  // Not a generator: it would cost each message three turns of the microtask queue.
  const frames: Required<Pick<AsyncIterator<Batch, undefined>, 'next' | 'return'>> = {
    next() {
      if (!hasBegun) begin()
      // Whatever was taken before this call counts as read.
      const read = received - batches.weight
      if (windowBytes < Infinity && (granted ? 4 * (read - granted) >= windowBytes : read > 0)) {
        granted = read
        send({ op: 'window', bytes: windowBytes })
      }
      return batches.next()
    },
    async return() {
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
