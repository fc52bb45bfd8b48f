import { EventEmitter } from 'node:events'
import type { IncomingMessage } from 'node:http'
import type { Duplex } from 'node:stream'
import { type WebSocket, WebSocketServer } from 'ws'
import { BEARER_PREFIX, BEARER_TOKEN, SUBPROTOCOL } from '../../protocol/rules.ts'
import { type Asker, type Authorization, authorizeRequest } from '../authorize.ts'
import type { Connections } from '../connections.ts'
import { checkOrigin } from '../cors.ts'
import type { Parts } from '../handler.ts'
import { checkHost } from '../hosts.ts'
import { badRequest, closing, HttpError, internal, notFound, problemBody, SAFE } from '../http-error.ts'
import type { SubscribeRequest } from '../job-cursor.ts'
import { refuseSocket, serveSocket } from '../readings/websocket.ts'
import { asked, findRoute, pathBelow, pathOf, windowBytes } from '../routes.ts'
import type { JobServer, Settings, Source } from '../types.ts'
import { requestOf, sourceOf, targetOf, urlOf } from './node.ts'

/** Clients send nothing but operations, which are short. */
const MAX_MESSAGE_BYTES = 16_384

export type Upgrade = JobServer['upgrade']

/** A handshake that may be made. */
interface Handshake {
  asks: () => SubscribeRequest[]
  whoAsks: () => Asker
}

/**
 * Takes WebSocket handshakes. What speaks for the path (a strange origin, no such subprotocol) is refused by HTTP, so that
 * clients fall back; what speaks for the job is said on the socket, since browsers hide a handshake's status.
 */
export function createUpgrade({ settings, connections, metrics }: Parts): Upgrade {
  const server = new WebSocketServer({
    noServer: true,
    clientTracking: false,
    perMessageDeflate: false,
    maxPayload: MAX_MESSAGE_BYTES,
    handleProtocols: (offered) => offered.has(SUBPROTOCOL) && SUBPROTOCOL
  })

  return (req, socket, head, next) => {
    const path = pathBelow(settings.basePath, pathOf(targetOf(req)))
    if (path === undefined && next) return next()
    if (path === undefined && isShared(socket)) return
    socket.on('error', ignore) // 'close' follows
    let handshake: Handshake
    try {
      handshake = checkHandshake(req, path, settings, connections)
    } catch (error) {
      return refuseHandshake(socket, counted(error))
    }
    server.handleUpgrade(req, socket, head, (ws) => void welcome(ws, socket, handshake))
  }

  async function welcome(ws: WebSocket, socket: Duplex, { asks: asksOf, whoAsks }: Handshake): Promise<void> {
    try {
      const asks = asksOf()
      const { request, source } = whoAsks()
      const window = windowBytes(request)
      // Those of a socket that names jobs are asked for one by one.
      const grant = asks.length === 0 && settings.authorize ? await ask(ws, { request, source }) : undefined
      const slot = connections.admit(source.address, 'websocket')
      if (grant) slot.expireAt(grant.expiresAt)
      serveSocket({ ws, socket, whoAsks, asks, windowBytes: window, slot, settings })
    } catch (error) {
      refuseSocket(ws, counted(error), settings)
    }
  }

  /** While it waits for its permission, a socket is not read. */
  async function ask(ws: WebSocket, asker: Asker): Promise<Authorization> {
    const leave = connections.wait(() => ws.terminate())
    ws.on('error', ignore) // 'close' follows
    ws.pause()
    try {
      return await authorizeRequest(settings, asker, 'connect')
    } finally {
      ws.resume()
      leave()
    }
  }

  function counted(error: unknown): HttpError {
    const refusal = error instanceof HttpError ? error : internal()
    metrics.rejected(refusal.status)
    return refusal
  }
}

/** No listener that stays with the socket may be a closure of a place that knows the request: it would keep it. */
const ignore = () => {}

/** Whether somebody else listens to the server's handshakes, who may want what is not ours. */
function isShared(socket: Duplex): boolean {
  const server: unknown = 'server' in socket ? socket.server : undefined // of net and tls: the one that has taken the connection
  return server instanceof EventEmitter && server.listenerCount('upgrade') > 1
}

function checkHandshake(req: IncomingMessage, path: string | undefined, settings: Settings, connections: Connections): Handshake {
  if (connections.closing) throw closing()
  const url = urlOf(req)
  if (!url || !path || !/\/events\/?$/.test(path)) throw notFound()
  const offered = (req.headers['sec-websocket-protocol'] ?? '').split(',').map((each) => each.trim())
  if (!offered.includes(SUBPROTOCOL)) throw badRequest(`Sec-WebSocket-Protocol: expected ${SUBPROTOCOL}`)
  const token = bearerOf(offered)
  const whoAsks = askerOf(req, url.href, settings, {
    'sec-websocket-protocol': SUBPROTOCOL,
    ...(token === undefined || req.headers.authorization ? {} : { authorization: `Bearer ${token}` })
  })
  const { request } = whoAsks()
  checkHost(request, settings)
  checkOrigin(request, settings)
  return { whoAsks, asks: () => asksOf(path, request, settings) }
}

/** The request is made anew each time: each follower would hold more in it than in all the rest. So it would in its handshake, where nobody asks for that. */
function askerOf(req: IncomingMessage, url: string, { authorize }: Settings, extra: Record<string, string>): () => Asker {
  const { headers } = req
  const source = authorize ? sourceOf(req) : addressOnly(sourceOf(req))
  return () => ({ request: requestOf({ method: 'GET', headers }, url, extra), source })
}

const addressOnly = ({ address }: Source): Source => (address === undefined ? {} : { address })

/** A token that came as a subprotocol (PROTOCOL.md §5); passed over where no header could carry it. */
function bearerOf(offered: readonly string[]): string | undefined {
  const encoded = offered.find((each) => each.startsWith(BEARER_PREFIX))?.slice(BEARER_PREFIX.length)
  const token = encoded && Buffer.from(encoded, 'base64url').toString('latin1')
  return token && BEARER_TOKEN.test(token) ? token : undefined
}

function asksOf(path: string, request: Request, { maxJobsPerConnection }: Settings): SubscribeRequest[] {
  const route = findRoute(path)
  if (route.to !== 'events') throw notFound()
  return asked(route, request, maxJobsPerConnection)
}

function refuseHandshake(socket: Duplex, refusal: HttpError): void {
  const { headers, body } = problemBody(refusal)
  const lines = Object.entries({ ...SAFE, ...headers, 'Content-Length': Buffer.byteLength(body), Connection: 'close' }).map(
    ([name, value]) => `${name}: ${value}\r\n`
  )
  socket.end(`HTTP/1.1 ${refusal.status} Refused\r\n${lines.join('')}\r\n${body}`, () => socket.destroy())
}
