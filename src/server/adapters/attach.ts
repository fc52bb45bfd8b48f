import type { Server as HttpServer, IncomingMessage } from 'node:http'
import type { Http2SecureServer, ServerHttp2Session } from 'node:http2'
import type { JobServer, NodeRequest } from '../types.ts'
import type { Upgrade } from './upgrade.ts'

interface AttachOptions {
  handle: JobServer['handle']
  upgrade: Upgrade
  isOutside: (req: NodeRequest) => boolean
  /** An HTTP/2 session without a byte for so long takes no more streams, and ends with its last one. */
  idleSessionMs?: number
}

/** node:http has limits of its own for connections that ask nothing; node:http2 has none. Above the longest a long poll may wait. */
const IDLE_SESSION_MS = 120_000

type Listener = (req: IncomingMessage, ...rest: unknown[]) => void

/**
 * Answers before the listeners that are there already, which get only what is outside: an application answers whatever it
 * gets, at least with its own 404, and two answers to one request are none.
 */
export function attachTo(server: Parameters<JobServer['attach']>[0], { handle, upgrade, isOutside, idleSessionMs = IDLE_SESSION_MS }: AttachOptions): void {
  // The three kinds of server have the same events; their union has no common signature for `on`.
  const any = server as HttpServer // as: see above

  function putFirst(event: 'request' | 'upgrade', take: Listener): Listener {
    const others = any.rawListeners(event) as Listener[] // as: those of a server, for its events
    any.removeAllListeners(event)
    const first: Listener = (req, ...rest) => {
      const isAlone = others.length === 0 && any.listenerCount(event) === 1
      if (isAlone || !isOutside(req)) return take(req, ...rest)
      for (const other of others) other.call(any, req, ...rest)
    }
    any.on(event, first)
    return first
  }

  // Only HTTP/2 has the event.
  const http2 = server as Http2SecureServer // as: for its event
  http2.on('session', (session: ServerHttp2Session) => session.setTimeout(idleSessionMs, () => session.close()))
  // as: what the events carry
  putFirst('request', handle as unknown as Listener)
  keepOurs(
    any,
    putFirst('upgrade', (req, socket, head) => (upgrade as unknown as Listener)(req, socket, head)),
    isOutside
  )
}

/**
 * A WebSocket server that is made later listens later, and many refuse whatever is not theirs, on a socket that is ours by then: from such
 * listeners, too, what is ours is kept.
 */
function keepOurs(server: HttpServer, first: Listener, isOutside: AttachOptions['isOutside']): void {
  let isReplacing = false

  function replace(listener: Listener): void {
    const there = server.listeners('upgrade')
    // Where ours has been taken off, as another `attach` does, it is called by whoever has done that.
    if (!there.includes(first) || !there.includes(listener)) return
    const outside: Listener = (req, ...rest) => {
      if (isOutside(req)) listener.call(server, req, ...rest)
    }
    isReplacing = true
    server.off('upgrade', listener as never) // as: one of a server's, for its event
    server.on('upgrade', Object.assign(outside, { listener }) as never) // as: see above; `listener` is what `off` and `listeners` go by, as with `once`
    isReplacing = false
  }

  server.on('newListener', (event: string, listener: Listener) => {
    // Not there yet.
    if (event === 'upgrade' && !isReplacing) queueMicrotask(() => replace(listener))
  })
}
