import type { ServerResponse } from 'node:http'
import type { Duplex } from 'node:stream'
import { TLSSocket } from 'node:tls'
import { BackpressuredWriter, patienceMs } from '../backpressured-writer.ts'
import { responseOutput } from '../fast-path.ts'
import { handleRequest, type ServerParts } from '../handler.ts'
import { badRequest, SECURITY_HEADERS } from '../http-error.ts'
import { longTimeout } from '../long-timeout.ts'
import type { Source } from '../permission.ts'
import { isStreamBody, type Reply, type RequestContext, type StreamBody } from '../request-context.ts'
import type { Settings } from '../server-options.ts'
import type { NodeRequest, NodeResponse } from '../types.ts'

/** How long the rest of a stream may take to be sent after its last write. */
const CLOSING_MS = 2000

/** The request target as the client sent it. Routers such as Express cut their mount path off `req.url`, and keep the whole in `originalUrl`. */
export const targetOf = (req: NodeRequest): string => ('originalUrl' in req && typeof req.originalUrl === 'string' ? req.originalUrl : (req.url ?? '/'))

/** The request's URL; `undefined` where target and host make no valid one. */
export function urlOf(req: NodeRequest): URL | undefined {
  const target = targetOf(req)
  const scheme = req.socket instanceof TLSSocket ? 'https' : 'http'
  const host = String(req.headers[':authority'] || req.headers.host || 'localhost') // `Host` may be empty (RFC 9112 §3.2)
  if (/[/?#\\]/.test(host)) return undefined // these would move a part of the host into the URL's path
  // Not `new URL(target, origin)`: it takes a target of `//x` for another host.
  const url = URL.parse(target.startsWith('/') ? `${scheme}://${host}${target}` : target)
  return url && url.username + url.password === '' ? url : undefined
}

/** A Node request as a `Request` of the Fetch standard, without a body. Throws for a method or header that `Request` doesn't take. */
export function requestOf({ method, headers: given }: Pick<NodeRequest, 'method' | 'headers'>, url: URL | string, extra: Record<string, string> = {}): Request {
  const headers = new Headers()
  for (const [name, value] of Object.entries(given))
    if (!name.startsWith(':') && value !== undefined) headers.set(name, Array.isArray(value) ? value.join(', ') : value)
  if (typeof given[':authority'] === 'string') headers.set('host', given[':authority']) // `:authority` wins over `Host` (RFC 9113 §8.3.1)
  for (const [name, value] of Object.entries(extra)) headers.set(name, value)
  return new Request(url, { method: method ?? 'GET', headers })
}

export function sourceOf(req: NodeRequest): Source {
  const address = req.socket.remoteAddress
  return address === undefined ? { node: req } : { node: req, address }
}

/** Answers a Node request at the pace of its reader. Never rejects. */
export async function respond(req: NodeRequest, response: NodeResponse, parts: ServerParts): Promise<void> {
  const res = response as ServerResponse // as: the HTTP/2 response has everything that is used here, but the union of both types has no common `writeHead`
  res.on('error', () => {}) // a write after the client has gone; 'close' follows
  if (req.httpVersionMajor === 1 && !(await waitForTurn(req.socket, res))) return
  const gone = new AbortController()
  const onClose = (): void => {
    req.socket.off('close', onClose)
    gone.abort()
  }
  res.on('close', onClose)
  req.socket.on('close', onClose) // `res` emits no 'close' while it waits for an earlier response on the same connection
  const context = contextOf(req, gone.signal)
  if (!context) {
    res.writeHead(400, SECURITY_HEADERS).end()
    return
  }
  const reply = await handleRequest(context, parts)
  if (res.headersSent) {
    discardReply(reply)
    parts.settings.onError(new Error(`${req.method} ${req.url}: another listener has answered the request; call \`attach\` after that listener is added`))
    return
  }
  // 408: the rest of the body may still come, and would be taken for the next request. Closing: a proxy should send the next request to another server.
  if (reply.status === 408 || parts.connections.closing) res.shouldKeepAlive = false
  send(res, reply, parts.settings, gone.signal)
}

const lastResponse = new WeakMap<Duplex, Promise<unknown>>()

/**
 * Waits for the responses to earlier requests on the same connection. HTTP/1.1 clients may pipeline requests (RFC 9112 §9.3.2), whose responses are sent one
 * after the other: without this, one packet of a thousand requests would have a thousand answers held in memory. Resolves with `false` where the connection
 * is gone.
 */
async function waitForTurn(socket: Duplex, res: ServerResponse): Promise<boolean> {
  const before = lastResponse.get(socket)
  if (!res.closed) lastResponse.set(socket, new Promise((resolve) => res.on('close', resolve)))
  await before
  return !socket.destroyed
}

function contextOf(req: NodeRequest, signal: AbortSignal): RequestContext | undefined {
  const url = urlOf(req)
  if (!url) return undefined
  try {
    return {
      request: requestOf(req, url),
      target: targetOf(req),
      source: sourceOf(req),
      signal,
      body: () => (req.readableDidRead ? parsedBody(req) : readBody(req))
    }
  } catch {
    return undefined // a method or a URL that the Fetch standard doesn't take
  }
}

async function* readBody(req: NodeRequest): AsyncGenerator<Uint8Array, void> {
  try {
    // `destroyOnReturn` would destroy the socket, and with it the response.
    yield* req.iterator({ destroyOnReturn: false })
  } catch {
    throw badRequest('body: the connection broke off before its end')
  } finally {
    req.resume() // an unread rest would block the connection's next request
  }
}

/** The body as JSON text, from what a body parser in front has left in `req.body`. */
function parsedBody(req: NodeRequest): string {
  const body: unknown = 'body' in req ? req.body : undefined
  const { 'content-length': length, 'content-type': type = '' } = req.headers
  if (length === '0') return '' // parsers make `{}` of an empty body
  if (body === undefined)
    throw new Error('the body of a POST: something in front of the job server has read it; expected the parsed body in `req.body`, got undefined')
  if (Buffer.isBuffer(body)) return body.toString()
  if (typeof body !== 'string') return JSON.stringify(body)
  // `body` is either the unparsed text or a parsed JSON string. Only the unparsed text has the length of the request's body.
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

function send(res: ServerResponse, reply: Reply, settings: Settings, gone: AbortSignal): void {
  const { status, headers, body } = reply
  if (gone.aborted) return discardReply(reply)
  if (isStreamBody(body)) {
    res.writeHead(status, headers)
    sendStream(res, body, settings, gone)
    return
  }
  const bytes = Buffer.byteLength(body ?? '')
  reply.delivery?.onDestroy(() => res.destroy())
  const cancel = longTimeout(patienceMs(bytes, settings.heartbeatMs), () => res.destroy())
  gone.addEventListener('abort', () => {
    cancel()
    discardReply(reply)
  })
  if (body === undefined) res.writeHead(status, headers).end()
  else res.writeHead(status, { ...headers, 'Content-Length': bytes }).end(body)
}

function discardReply({ body, delivery }: Reply): void {
  if (isStreamBody(body)) body.close()
  delivery?.close()
}

function sendStream(res: ServerResponse, body: StreamBody, settings: Settings, gone: AbortSignal): void {
  body.onDestroy(() => res.destroy())
  res.flushHeaders()
  const output = responseOutput(res, settings.fastPath)
  const writer = new BackpressuredWriter(output.stream, settings)
  gone.addEventListener('abort', () => writer.close())
  const write = (text: string) => writer.write(output.encode(text))
  body.writeLoop(write, () => {
    res.end()
    if (!gone.aborted)
      gone.addEventListener(
        'abort',
        longTimeout(CLOSING_MS, () => res.destroy())
      )
  })
}
