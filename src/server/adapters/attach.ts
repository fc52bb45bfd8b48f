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
type IsOutside = AttachOptions['isOutside']

/** Those of job servers, which call what they have found on their server themselves, with that. */
const firsts = new WeakMap<Listener, { others: readonly Listener[]; isCalledByAnother: boolean }>()
const hasFoundOthers = (first: Listener): boolean => (firsts.get(first)?.others ?? []).some((other) => !firsts.has(other) || hasFoundOthers(other))
/** By server: what is outside of each job server attached to it. */
const attached = new WeakMap<HttpServer, IsOutside[]>()

/**
 * Answers before the listeners that are there already, which get only what is outside: an application answers whatever it
 * gets, at least with its own 404, and two answers to one request are none.
 */
export function attachTo(server: Parameters<JobServer['attach']>[0], { handle, upgrade, isOutside, idleSessionMs = IDLE_SESSION_MS }: AttachOptions): void {
  // The three kinds of server have the same events; their union has no common signature for `on`.
  const any = server as HttpServer // as: see above
  const known = attached.get(any)
  if (known) known.push(isOutside)
  else {
    attached.set(any, [isOutside])
    guardLater(any)
  }

  function putFirst(event: 'request' | 'upgrade', take: Listener): void {
    const others = any.rawListeners(event) as Listener[] // as: those of a server, for its events
    any.removeAllListeners(event)
    const own = { others, isCalledByAnother: false }
    const first: Listener = (req, ...rest) => {
      // Two answers are none, and so is nobody's.
      const isAlone = !own.isCalledByAnother && any.listenerCount(event) === 1 && !hasFoundOthers(first)
      if (!isOutside(req) || (isAlone && isForeign(any, req))) return take(req, ...rest)
      for (const other of others) if (event === 'request' || firsts.has(other) || isForeign(any, req)) other.call(any, req, ...rest)
    }
    for (const other of others) Object.assign(firsts.get(other) ?? {}, { isCalledByAnother: true })
    firsts.set(first, own)
    any.on(event, first)
  }

  // Only HTTP/2 has the event.
  const http2 = server as Http2SecureServer // as: for its event
  http2.on('session', (session: ServerHttp2Session) => session.setTimeout(idleSessionMs, () => session.close()))
  // as: what the events carry
  putFirst('request', handle as unknown as Listener)
  putFirst('upgrade', (req, socket, head) => (upgrade as unknown as Listener)(req, socket, head))
}

/** Whether a request is no attached job server's. */
const isForeign = (server: HttpServer, req: IncomingMessage): boolean => (attached.get(server) ?? []).every((isOutside) => isOutside(req))

/**
 * A WebSocket server that is made later listens later, and many refuse whatever is not theirs, on a socket that is a job server's by then.
 * So what listens to handshakes from now on gets those that are nobody's here.
 */
function guardLater(server: HttpServer): void {
  let isReplacing = false

  function guard(listener: Listener): void {
    const there = server.rawListeners('upgrade') as (Listener & { listener?: Listener })[] // as: `once` has the listener there
    const raw = there.find((each) => each === listener || each.listener === listener)
    // Where ours have been taken off, they are called by whoever has done that.
    if (!raw || firsts.has(listener) || !there.some((each) => firsts.has(each))) return
    const guarded: Listener = (req, ...rest) => {
      if (!isForeign(server, req)) return
      if (raw !== listener) server.off('upgrade', guarded)
      listener.call(server, req, ...rest)
    }
    isReplacing = true
    server.off('upgrade', listener)
    server.on('upgrade', Object.assign(guarded, { listener })) // which `off` and `listeners` go by, as with `once`
    isReplacing = false
  }

  server.on('newListener', (event: string, listener: Listener) => {
    // It is not there yet.
    if (event === 'upgrade' && !isReplacing) queueMicrotask(() => guard(listener))
  })
}
