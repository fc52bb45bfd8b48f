/** WebSocket (PROTOCOL.md §5). */

import { createQueue } from '../async/queue.ts'
import { onAbort } from '../async/signals.ts'
import { keepSecret, TransportError } from '../errors.ts'
import { type Control, type Frame, isControl, type Operation } from '../protocol/frames.ts'
import { parseText } from '../protocol/parse.ts'
import { BEARER_PREFIX, SUBPROTOCOL } from '../protocol/rules.ts'
import { eventsUrl, place } from '../protocol/urls.ts'
import type { Link, OpenRequest, Transport } from '../types.ts'

type Jobs = OpenRequest['jobs']

/** A socket has no backpressure: what nobody reads is given up before it fills the memory. */
const MAX_UNREAD_MESSAGES = 100_000

/** Restarting, restarting, later: how long to stay away at most, by the close's code. */
const AWAY_MS: Readonly<Record<number, number>> = { 1001: 1000, 1012: 1000, 1013: 10_000 }

/** What a close's code says, for a server that has not said it before (PROTOCOL.md §5). */
function wordOf(code: number, message: string): Control | undefined {
  const retryMs = AWAY_MS[code]
  if (retryMs) return { control: 'bye', reason: 'shutdown', retryMs }
  if (code >= 4400 && code < 4600) return { control: 'error', status: code - 4000, code: 'closed', message }
}

/** One socket, whose jobs can be changed in place. */
export const webSocket = (): Transport => ({
  name: 'websocket',
  isSupported: ({ WebSocket }) => typeof WebSocket === 'function',
  open: openWebSocket
})

function openWebSocket(request: OpenRequest): Link {
  const { signal } = request
  let wanted = request.jobs
  let tell = (): void => {} // the URL says it all until the socket is open

  async function* read(): AsyncGenerator<readonly Frame[], void> {
    signal.throwIfAborted()
    let told = wanted
    const socket = connect(request, told)
    const inbox = createQueue<readonly Frame[]>()
    let isOpen = false
    let last: Frame | undefined
    onAbort(signal, inbox.end)

    socket.onopen = () => {
      isOpen = true
      inbox.push([]) // what opens and then delivers nothing is told from what never opens
      tell = () => {
        for (const operation of changes(told, wanted)) socket.send(JSON.stringify(operation))
        told = wanted
      }
      tell()
    }
    socket.onmessage = ({ data }) => {
      try {
        if (inbox.length >= MAX_UNREAD_MESSAGES) throw new TransportError('protocol', `${MAX_UNREAD_MESSAGES} messages came and were not read`)
        const frames = parseText(data)
        last = frames.at(-1) ?? last
        inbox.push(frames)
      } catch (error) {
        inbox.end(error)
      }
    }
    socket.onerror = () => {} // the close that follows says more; but the ws package throws where nobody listens
    socket.onclose = ({ code, reason }) => {
      const message = `${place(socket.url)} ${isOpen ? 'was closed with' : 'did not open:'} ${code} ${reason}`
      const hasSaid = last && isControl(last) && (last.control === 'bye' || last.control === 'error')
      const word = wordOf(code, message)
      if (word && !hasSaid) inbox.push([word])
      inbox.end(word || hasSaid || code === 1000 ? undefined : new TransportError(isOpen ? 'cut' : 'refused', message))
    }
    try {
      yield* { [Symbol.asyncIterator]: () => inbox }
    } finally {
      // Also while it is connecting: a stuck one keeps every other socket to its host waiting (RFC 6455, 4.1).
      socket.close(1000)
    }
  }

  return {
    frames: read(),
    update(jobs) {
      wanted = jobs
      tell()
    }
  }
}

/** What takes the server from the jobs that it was told of to those that are wanted. */
function* changes(told: Jobs, wanted: Jobs): Generator<Operation> {
  for (const { job } of told) if (!wanted.some((each) => each.job === job)) yield { op: 'unsubscribe', job }
  for (const each of wanted) if (!told.some(({ ref }) => ref === each.ref)) yield { op: 'subscribe', ...each }
}

function connect({ base, token, WebSocket }: OpenRequest, jobs: Jobs): WebSocket {
  const url = eventsUrl(base, jobs)
  url.searchParams.append('more', '1')
  url.protocol = url.protocol.replace('http', 'ws')
  const encoded = token && base64url(token)
  if (encoded) keepSecret(encoded)
  try {
    if (!WebSocket) throw new TypeError('there is no WebSocket')
    return new WebSocket(url, [SUBPROTOCOL, ...(encoded ? [BEARER_PREFIX + encoded] : [])])
  } catch (cause) {
    throw new TransportError('unsupported', `${place(url)}: no WebSocket can be made here (mixed content)`, { cause })
  }
}

const base64url = (text: string): string => btoa(text).replace(/=+$/, '').replaceAll('+', '-').replaceAll('/', '_')
