import { EventEmitter } from 'node:events'
import type { IncomingMessage } from 'node:http'
import type { Duplex } from 'node:stream'
import { type WebSocket, WebSocketServer } from 'ws'
import { BEARER_PREFIX, BEARER_TOKEN, SUBPROTOCOL } from '../../protocol/rules.ts'
import { type Authorization, authorizeRequest, type Requester } from '../authorize.ts'
import type { Connections } from '../connections.ts'
import { checkOrigin } from '../cors.ts'
import type { ServerParts } from '../handler.ts'
import { checkHost } from '../hosts.ts'
import { badRequest, closing, HttpError, internal, notFound, problemBody, SECURITY_HEADERS } from '../http-error.ts'
import type { SubscribeRequest } from '../job-cursor.ts'
import type { Source } from '../permission.ts'
import { rejectSocket, serveSocket } from '../readings/websocket.ts'
import { findRoute, pathBelow, pathOf, subscribeRequests, windowBytes } from '../routes.ts'
import type { Settings } from '../server-options.ts'
import type { JobServer } from '../types.ts'
import { requestOf, sourceOf, targetOf, urlOf } from './node.ts'

/** The largest message of a client: clients send only operations, which are short. */
const MAX_MESSAGE_BYTES = 16_384

export type Upgrade = JobServer['upgrade']

/** A checked handshake. */
interface Handshake {
  requests: () => SubscribeRequest[]
  requester: () => Requester
}

/**
 * Makes the listener for WebSocket handshakes. A foreign origin, a missing subprotocol and an unknown resource are refused by HTTP: clients then fall back to
 * another transport. Errors of a job are sent on the accepted socket, since browsers hide the status of a refused handshake (PROTOCOL.md §5).
 */
export function createUpgrade({ settings, connections, metrics }: ServerParts): Upgrade {
  const wsServer = new WebSocketServer({
    noServer: true,
    clientTracking: false,
    perMessageDeflate: false,
    maxPayload: MAX_MESSAGE_BYTES,
    handleProtocols: (offered) => offered.has(SUBPROTOCOL) && SUBPROTOCOL
  })

  return (req, socket, head, next) => {
    const path = pathBelow(settings.basePath, pathOf(targetOf(req)))
    if (path === undefined && next) return next()
    if (path === undefined && hasOtherListeners(socket)) return
    socket.on('error', ignore) // 'close' follows
    let handshake: Handshake
    try {
      handshake = checkHandshake(req, path, settings, connections)
    } catch (error) {
      return rejectHandshake(socket, countRejection(error))
    }
    wsServer.handleUpgrade(req, socket, head, (ws) => void serve(ws, socket, handshake))
  }

  async function serve(ws: WebSocket, socket: Duplex, { requests: asksOf, requester }: Handshake): Promise<void> {
    try {
      const requests = asksOf()
      const { request, source } = requester()
      const window = windowBytes(request)
      // A socket that names jobs needs no permission to connect: each job is authorised by itself.
      const authorization = requests.length === 0 && settings.authorize ? await authorizeConnect(ws, { request, source }) : undefined
      const slot = connections.admit(source.address, 'websocket')
      if (authorization) slot.expireAt(authorization.expiresAt)
      serveSocket({ ws, socket, requester, requests, windowBytes: window, slot, settings })
    } catch (error) {
      rejectSocket(ws, countRejection(error), settings)
    }
  }

  /** Asks `authorize` for a socket that names no job. The socket isn't read meanwhile. */
  async function authorizeConnect(ws: WebSocket, asker: Requester): Promise<Authorization> {
    const endWait = connections.waitForAuthorize(() => ws.terminate())
    ws.on('error', ignore) // 'close' follows
    ws.pause()
    try {
      return await authorizeRequest(settings, asker, 'connect')
    } finally {
      ws.resume()
      endWait()
    }
  }

  function countRejection(error: unknown): HttpError {
    const refusal = error instanceof HttpError ? error : internal()
    metrics.rejected(refusal.status)
    return refusal
  }
}

/** At the module's top: a closure made in a function that knows the request would keep the request in memory as long as the socket lives. */
const ignore = () => {}

/** Whether the server has other `upgrade` listeners, which may want handshakes outside `basePath`. */
function hasOtherListeners(socket: Duplex): boolean {
  const server: unknown = 'server' in socket ? socket.server : undefined // set by `net` and `tls`: the server that accepted the connection
  return server instanceof EventEmitter && server.listenerCount('upgrade') > 1
}

function checkHandshake(req: IncomingMessage, path: string | undefined, settings: Settings, connections: Connections): Handshake {
  if (connections.closing) throw closing()
  const url = urlOf(req)
  if (!url || !path || !/\/events\/?$/.test(path)) throw notFound()
  const offered = (req.headers['sec-websocket-protocol'] ?? '').split(',').map((each) => each.trim())
  if (!offered.includes(SUBPROTOCOL)) throw badRequest(`Sec-WebSocket-Protocol: expected ${SUBPROTOCOL}`)
  const token = bearerOf(offered)
  const requester = requesterOf(req, url.href, settings, {
    'sec-websocket-protocol': SUBPROTOCOL,
    ...(token === undefined || req.headers.authorization ? {} : { authorization: `Bearer ${token}` })
  })
  const { request } = requester()
  checkHost(request, settings)
  checkOrigin(request, settings)
  return { requester, requests: () => requestsOf(path, request, settings) }
}

/**
 * Returns a function that makes the `Request` and `Source` anew at each call: a `Request` kept for each of ten thousand sockets would take more memory than
 * everything else. The handshake is kept only where there is an `authorize`, which gets it as `source.node`.
 */
function requesterOf(req: IncomingMessage, url: string, { authorize }: Settings, extra: Record<string, string>): () => Requester {
  const { headers } = req
  const source = authorize ? sourceOf(req) : addressOnly(sourceOf(req))
  return () => ({ request: requestOf({ method: 'GET', headers }, url, extra), source })
}

const addressOnly = ({ address }: Source): Source => (address === undefined ? {} : { address })

/** The bearer token in the offered subprotocols (PROTOCOL.md §5). `undefined` without one, and for one that no header could carry. */
function bearerOf(offered: readonly string[]): string | undefined {
  const encoded = offered.find((each) => each.startsWith(BEARER_PREFIX))?.slice(BEARER_PREFIX.length)
  const token = encoded && Buffer.from(encoded, 'base64url').toString('latin1')
  return token && BEARER_TOKEN.test(token) ? token : undefined
}

function requestsOf(path: string, request: Request, { maxJobsPerConnection }: Settings): SubscribeRequest[] {
  const route = findRoute(path)
  if (route.to !== 'events') throw notFound()
  return subscribeRequests(route, request, maxJobsPerConnection)
}

function rejectHandshake(socket: Duplex, refusal: HttpError): void {
  const { headers, body } = problemBody(refusal)
  const lines = Object.entries({ ...SECURITY_HEADERS, ...headers, 'Content-Length': Buffer.byteLength(body), Connection: 'close' }).map(
    ([name, value]) => `${name}: ${value}\r\n`
  )
  socket.end(`HTTP/1.1 ${refusal.status} Refused\r\n${lines.join('')}\r\n${body}`, () => socket.destroy())
}
