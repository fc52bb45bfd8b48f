import type { ServerResponse } from 'node:http'
import type { Duplex } from 'node:stream'
import { TLSSocket } from 'node:tls'
import { BackpressuredWriter, patienceMs } from '../backpressured-writer.ts'
import { wayOfAnswer } from '../fast-path.ts'
import { answer, type Parts } from '../handler.ts'
import { badRequest, SAFE } from '../http-error.ts'
import { longTimeout } from '../long-timeout.ts'
import { isStreamBody, type Reply, type RequestContext, type StreamBody } from '../request-context.ts'
import type { NodeRequest, NodeResponse, Settings, Source } from '../types.ts'

/** How long what was written may take to leave once the answer is complete. */
const CLOSING_MS = 2000

/** What was asked for, also where a router has cut off the path that it is mounted at. */
export const targetOf = (req: NodeRequest): string => ('originalUrl' in req && typeof req.originalUrl === 'string' ? req.originalUrl : (req.url ?? '/'))

/** The same as a URL; `undefined` where it is none. */
export function urlOf(req: NodeRequest): URL | undefined {
  const target = targetOf(req)
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
  if (typeof given[':authority'] === 'string') headers.set('host', given[':authority']) // it has precedence (RFC 9113 §8.3.1)
  for (const [name, value] of Object.entries(extra)) headers.set(name, value)
  return new Request(url, { method: method ?? 'GET', headers })
}

export function sourceOf(req: NodeRequest): Source {
  const address = req.socket.remoteAddress
  return address === undefined ? { node: req } : { node: req, address }
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
    res.writeHead(400, SAFE).end()
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

function callOf(req: NodeRequest, signal: AbortSignal): RequestContext | undefined {
  const url = urlOf(req)
  if (!url) return undefined
  try {
    return {
      request: requestOf(req, url),
      target: targetOf(req),
      source: sourceOf(req),
      signal,
      body: () => (req.readableDidRead ? bodyReadBefore(req) : bodyOf(req))
    }
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

/** What a body parser in front has made of it, as JSON text. */
function bodyReadBefore(req: NodeRequest): string {
  const body: unknown = 'body' in req ? req.body : undefined
  const { 'content-length': length, 'content-type': type = '' } = req.headers
  if (length === '0') return '' // of which parsers make an object
  if (body === undefined) throw new Error('the body of a POST was read by something in front of the job server, which left no `body` on the request')
  if (Buffer.isBuffer(body)) return body.toString()
  if (typeof body !== 'string') return JSON.stringify(body)
  // The text itself, or the string that was in it: that one is shorter.
  if (!/[/+]json\b/i.test(type) || Buffer.byteLength(body) === Number(length)) return body
  return length === undefined && isJson(body) ? body : JSON.stringify(body)
}

function isJson(text: string): boolean {
  try {
    JSON.parse(text)
    return true
  } catch {
    return false
  }
}

function send(res: ServerResponse, found: Reply, settings: Settings, gone: AbortSignal): void {
  const { status, headers, body } = found
  if (gone.aborted) return discard(found)
  if (isStreamBody(body)) {
    res.writeHead(status, headers)
    stream(res, body, settings, gone)
    return
  }
  const bytes = Buffer.byteLength(body ?? '')
  found.delivery?.onCut(() => res.destroy())
  const cancel = longTimeout(patienceMs(bytes, settings.heartbeatMs), () => res.destroy())
  gone.addEventListener('abort', () => {
    cancel()
    discard(found)
  })
  if (body === undefined) res.writeHead(status, headers).end()
  else res.writeHead(status, { ...headers, 'Content-Length': bytes }).end(body)
}

function discard({ body, delivery }: Reply): void {
  if (isStreamBody(body)) body.close()
  delivery?.close()
}

function stream(res: ServerResponse, body: StreamBody, settings: Settings, gone: AbortSignal): void {
  body.onCut(() => res.destroy())
  res.flushHeaders()
  const way = wayOfAnswer(res, settings.fastPath)
  const outlet = new BackpressuredWriter(way.stream, settings)
  gone.addEventListener('abort', () => outlet.close())
  const write = (text: string) => outlet.write(way.encode(text))
  body.writeLoop(write, () => {
    res.end()
    if (!gone.aborted)
      gone.addEventListener(
        'abort',
        longTimeout(CLOSING_MS, () => res.destroy())
      )
  })
}
