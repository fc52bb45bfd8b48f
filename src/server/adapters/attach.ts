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

  function putFirst(event: 'request' | 'upgrade', take: Listener): void {
    const others = any.rawListeners(event) as Listener[] // as: those of a server, for its events
    any.removeAllListeners(event)
    any.on(event, (req: IncomingMessage, ...rest: unknown[]) => {
      const isAlone = others.length === 0 && any.listenerCount(event) === 1
      if (isAlone || !isOutside(req)) return take(req, ...rest)
      for (const other of others) other.call(any, req, ...rest)
    })
  }

  // Only HTTP/2 has the event.
  const http2 = server as Http2SecureServer // as: for its event
  http2.on('session', (session: ServerHttp2Session) => session.setTimeout(idleSessionMs, () => session.close()))
  // as: what the events carry
  putFirst('request', handle as unknown as Listener)
  putFirst('upgrade', upgrade as unknown as Listener)
}
