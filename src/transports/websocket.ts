/** WebSocket (PROTOCOL.md §5). */

import { createQueue } from '../async/queue.ts'
import { onAbort } from '../async/signals.ts'
import { TransportError } from '../errors.ts'
import type { Frame, Operation } from '../protocol/frames.ts'
import { parseText } from '../protocol/parse.ts'
import { BEARER_PREFIX, SUBPROTOCOL } from '../protocol/rules.ts'
import { eventsUrl, place } from '../protocol/urls.ts'
import type { Link, OpenRequest, Transport } from '../types.ts'

type Jobs = OpenRequest['jobs']

/** Restarting, restarting, later: how long to stay away at most, by the close's code (PROTOCOL.md §5). */
const AWAY_MS: Readonly<Record<number, number>> = { 1001: 1000, 1012: 1000, 1013: 10_000 }

/** One socket, whose jobs can be changed in place. */
export const webSocket = (): Transport => ({
  name: 'websocket',
  isSupported: () => typeof WebSocket === 'function',
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
        inbox.push(parseText(data))
      } catch (error) {
        inbox.end(error)
      }
    }
    socket.onerror = () => {} // the close that follows says more; but the ws package throws where nobody listens
    socket.onclose = ({ code, reason }) => {
      const retryMs = AWAY_MS[code]
      if (retryMs) inbox.push([{ control: 'bye', reason: 'shutdown', retryMs }])
      const message = `${place(socket.url)} ${isOpen ? 'was closed with' : 'did not open:'} ${code} ${reason}`
      // Above 4000 the server has said why before.
      inbox.end(retryMs || code === 1000 || code >= 4000 ? undefined : new TransportError(isOpen ? 'cut' : 'refused', message))
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
  url.protocol = url.protocol.replace('http', 'ws')
  try {
    return new WebSocket(url, [SUBPROTOCOL, ...(token ? [BEARER_PREFIX + base64url(token)] : [])])
  } catch (cause) {
    throw new TransportError('unsupported', `${place(url)}: no WebSocket can be made here (mixed content)`, { cause })
  }
}

const base64url = (text: string): string => btoa(text).replace(/=+$/, '').replaceAll('+', '-').replaceAll('/', '_')
