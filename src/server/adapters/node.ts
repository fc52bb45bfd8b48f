import type { ServerResponse } from 'node:http'
import type { Duplex } from 'node:stream'
import { TLSSocket } from 'node:tls'
import { alarm } from '../alarm.ts'
import { type Answer, type Call, isOutflow, type Outflow } from '../call.ts'
import { answer, type Parts } from '../handler.ts'
import { Outlet, patienceMs } from '../outlet.ts'
import { badRequest } from '../problem.ts'
import type { NodeRequest, NodeResponse, Settings } from '../types.ts'
import { chunkOf, socketBelow } from './chunk.ts'

/** How long what was written may take to leave once the answer is complete. */
const CLOSING_MS = 2000

/** The URL that was asked for, also where a router has cut off the path that it is mounted at; `undefined` where it is none. */
export function urlOf(req: NodeRequest): URL | undefined {
  const target = 'originalUrl' in req && typeof req.originalUrl === 'string' ? req.originalUrl : (req.url ?? '/')
  const scheme = req.socket instanceof TLSSocket ? 'https' : 'http'
  const host = String(req.headers[':authority'] || req.headers.host || 'localhost') // an empty one is one (RFC 9112 §3.2)
  if (/[/?#\\]/.test(host)) return undefined // a part of the path would come from it
  // Not `new URL(target, origin)`: a target of `//x` would name another host.
  const url = URL.parse(target.startsWith('/') ? `${scheme}://${host}${target}` : target)
  return url && url.username + url.password === '' ? url : undefined
}

/** What `authorize` and the routes see of a Node request. Throws where it can't be one of the Fetch standard. */
export function requestOf({ method, headers: given }: Pick<NodeRequest, 'method' | 'headers'>, url: URL | string, extra: Record<string, string> = {}): Request {
  const headers = new Headers()
  for (const [name, value] of Object.entries(given))
    if (!name.startsWith(':') && value !== undefined) headers.set(name, Array.isArray(value) ? value.join(', ') : value)
  for (const [name, value] of Object.entries(extra)) headers.set(name, value)
  return new Request(url, { method: method ?? 'GET', headers })
}

/** Answers a Node request, at the pace of its reader. */
export async function respond(req: NodeRequest, response: NodeResponse, parts: Parts): Promise<void> {
  const res = response as ServerResponse // as: HTTP/2's has all that is used here, under types that don't unite
  res.on('error', () => {}) // a write after the reader has gone; 'close' says so
  if (req.httpVersionMajor === 1 && !(await turnOf(req.socket, res))) return
  const gone = new AbortController()
  const leave = (): void => {
    req.socket.off('close', leave)
    gone.abort()
  }
  res.on('close', leave)
  req.socket.on('close', leave) // the answer's own is not told where it still waits for another one's end
  const call = callOf(req, gone.signal)
  if (!call) {
    res.writeHead(400).end()
    return
  }
  const found = await answer(call, parts)
  if (res.headersSent) {
    discard(found)
    parts.settings.onError(new Error(`${req.method} ${req.url} was answered by another listener: attach the job server after it`))
    return
  }
  // What may still come of a body that was too slow is waited for no more; a proxy sends the next request to a server that isn't closing.
  if (found.status === 408 || parts.connections.closing) res.shouldKeepAlive = false
  send(res, found, parts.settings, gone.signal)
}

const answers = new WeakMap<Duplex, Promise<unknown>>()

/**
 * Several requests may come at once over one HTTP/1.1 connection (RFC 9112 §9.3.2), and their answers leave one after the other. So they are
 * made one after the other too, or a single packet would have its thousand answers held in memory. False where the connection is gone.
 */
async function turnOf(socket: Duplex, res: ServerResponse): Promise<boolean> {
  const before = answers.get(socket)
  if (!res.closed) answers.set(socket, new Promise((resolve) => res.on('close', resolve)))
  await before
  return !socket.destroyed
}

function callOf(req: NodeRequest, signal: AbortSignal): Call | undefined {
  const url = urlOf(req)
  if (!url) return undefined
  try {
    return { request: requestOf(req, url), address: req.socket.remoteAddress, signal, body: () => (req.readableDidRead ? bodyReadBefore(req) : bodyOf(req)) }
  } catch {
    return undefined // a method or a URL that the Fetch standard doesn't take
  }
}

async function* bodyOf(req: NodeRequest): AsyncGenerator<Uint8Array, void> {
  try {
    // Not destroyed at a break: that would take the answer's socket with it.
    yield* req.iterator({ destroyOnReturn: false })
  } catch {
    throw badRequest('body: it broke off')
  } finally {
    req.resume() // what is left unread would hold up the connection's next request
  }
}

/** What a body parser in front has made of it. */
function bodyReadBefore(req: NodeRequest): string {
  const body = 'body' in req ? req.body : undefined
  if (body === undefined) throw new Error('the body of a POST was read by something in front of the job server, which left no `body` on the request')
  return typeof body === 'string' || Buffer.isBuffer(body) ? body.toString() : JSON.stringify(body)
}

function send(res: ServerResponse, found: Answer, settings: Settings, gone: AbortSignal): void {
  const { status, headers, body } = found
  if (gone.aborted) return discard(found)
  if (isOutflow(body)) {
    res.writeHead(status, headers)
    stream(res, body, settings, gone)
    return
  }
  const bytes = Buffer.byteLength(body ?? '')
  found.delivery?.onCut(() => res.destroy())
  const cancel = alarm(patienceMs(bytes, settings.heartbeatMs), () => res.destroy())
  gone.addEventListener('abort', () => {
    cancel()
    discard(found)
  })
  if (body === undefined) res.writeHead(status, headers).end()
  else res.writeHead(status, { ...headers, 'Content-Length': bytes }).end(body)
}

function discard({ body, delivery }: Answer): void {
  if (isOutflow(body)) body.close()
  delivery?.close()
}

function stream(res: ServerResponse, body: Outflow, settings: Settings, gone: AbortSignal): void {
  body.onCut(() => res.destroy())
  res.flushHeaders()
  const socket = socketBelow(res)
  const outlet = new Outlet(socket ?? res, settings)
  gone.addEventListener('abort', () => outlet.close())
  const write = (text: string) => outlet.write(socket ? chunkOf(text) : text)
  body.pump(write, () => {
    res.end()
    if (!gone.aborted)
      gone.addEventListener(
        'abort',
        alarm(CLOSING_MS, () => res.destroy())
      )
  })
}
