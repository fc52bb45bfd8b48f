import type { Server as HttpServer, IncomingMessage } from 'node:http'
import type { Http2SecureServer, ServerHttp2Session } from 'node:http2'
import type { JobServer, NodeRequest } from '../types.ts'
import type { Upgrade } from './upgrade.ts'

interface AttachOptions {
  handle: JobServer['handle']
  upgrade: Upgrade
  isOutside: (req: NodeRequest) => boolean
  /** An HTTP/2 session without a byte for this long takes no more streams, and closes with its last one. */
  idleSessionMs?: number
}

/** `node:http` limits idle connections by itself, `node:http2` doesn't. Longer than a long poll may be held (55 s). */
const IDLE_SESSION_MS = 120_000

type Listener = (req: IncomingMessage, ...rest: unknown[]) => void
type IsOutside = AttachOptions['isOutside']

/** The listeners of attached job servers, each with the listeners that it replaced and calls itself. */
const jobServerListeners = new WeakMap<Listener, { others: readonly Listener[]; isCalledByAnother: boolean }>()
const callsOthers = (first: Listener): boolean =>
  (jobServerListeners.get(first)?.others ?? []).some((other) => !jobServerListeners.has(other) || callsOthers(other))
/** For each Node server: a predicate of every job server attached to it. */
const attached = new WeakMap<HttpServer, IsOutside[]>()

/**
 * Puts a job server before the listeners that a Node server has already. Those get only requests outside `basePath`: a framework answers every request that it
 * gets, at least with a 404 of its own, and a second answer to one request is an error.
 */
export function attachTo(server: Parameters<JobServer['attach']>[0], { handle, upgrade, isOutside, idleSessionMs = IDLE_SESSION_MS }: AttachOptions): void {
  // The three kinds of server have the same events; their union has no common signature for `on`.
  const httpServer = server as HttpServer // as: it has the same events
  const known = attached.get(httpServer)
  if (known) known.push(isOutside)
  else {
    attached.set(httpServer, [isOutside])
    guardLaterListeners(httpServer)
  }

  function prependListener(event: 'request' | 'upgrade', take: Listener): void {
    const others = httpServer.rawListeners(event) as Listener[] // as: those of a server, for its events
    httpServer.removeAllListeners(event)
    const own = { others, isCalledByAnother: false }
    const first: Listener = (req, ...rest) => {
      // A request outside `basePath` is answered here (404) only where no other listener could answer it.
      const isAlone = !own.isCalledByAnother && httpServer.listenerCount(event) === 1 && !callsOthers(first)
      if (!isOutside(req) || (isAlone && isForeign(httpServer, req))) return take(req, ...rest)
      for (const other of others) if (event === 'request' || jobServerListeners.has(other) || isForeign(httpServer, req)) other.call(httpServer, req, ...rest)
    }
    for (const other of others) Object.assign(jobServerListeners.get(other) ?? {}, { isCalledByAnother: true })
    jobServerListeners.set(first, own)
    httpServer.on(event, first)
  }

  const http2 = server as Http2SecureServer // as: only HTTP/2 servers emit 'session'
  http2.on('session', (session: ServerHttp2Session) => session.setTimeout(idleSessionMs, () => session.close()))
  // as: the events carry these arguments
  prependListener('request', handle as unknown as Listener)
  prependListener('upgrade', (req, socket, head) => (upgrade as unknown as Listener)(req, socket, head))
}

/** Whether a request is outside the `basePath` of every attached job server. */
const isForeign = (server: HttpServer, req: IncomingMessage): boolean => (attached.get(server) ?? []).every((isOutside) => isOutside(req))

/**
 * Keeps handshakes of job servers from `upgrade` listeners that are added later. WebSocket servers (`ws` with `{ server, path }`, socket.io) refuse every
 * handshake that isn't their own, which would destroy a socket that a job server has accepted.
 */
function guardLaterListeners(server: HttpServer): void {
  let isReplacing = false

  function guard(listener: Listener): void {
    const there = server.rawListeners('upgrade') as (Listener & { listener?: Listener })[] // as: `once` has the listener there
    const raw = there.find((each) => each === listener || each.listener === listener)
    // Where the job servers' listeners were removed, whoever did that calls them, and their listener must stay as it is.
    if (!raw || jobServerListeners.has(listener) || !there.some((each) => jobServerListeners.has(each))) return
    const guarded: Listener = (req, ...rest) => {
      if (!isForeign(server, req)) return
      if (raw !== listener) server.off('upgrade', guarded)
      listener.call(server, req, ...rest)
    }
    isReplacing = true
    server.off('upgrade', listener)
    server.on('upgrade', Object.assign(guarded, { listener })) // `off` and `listeners` find a wrapper by its `listener`, as with `once`
    isReplacing = false
  }

  server.on('newListener', (event: string, listener: Listener) => {
    // 'newListener' is emitted before the listener is added.
    if (event === 'upgrade' && !isReplacing) queueMicrotask(() => guard(listener))
  })
}
