import type { IncomingMessage } from 'node:http'
import type { Duplex } from 'node:stream'
import { WebSocketServer } from 'ws'
import { BEARER_PREFIX, BEARER_TOKEN, SUBPROTOCOL } from '../../protocol/rules.ts'
import type { Connections } from '../connections.ts'
import { checkOrigin } from '../cors.ts'
import type { Parts } from '../handler.ts'
import type { Ask } from '../job-reader.ts'
import { badRequest, closing, internal, notFound, problemBody, Refusal } from '../problem.ts'
import { refuseSocket, serveSocket } from '../readings/websocket.ts'
import { asked, findRoute, pathBelow, windowBytes } from '../routes.ts'
import type { Settings } from '../types.ts'
import { requestOf, urlOf } from './node.ts'

/** Clients send nothing but operations, which are short. */
const MAX_MESSAGE_BYTES = 16_384

export type Upgrade = (req: IncomingMessage, socket: Duplex, head: Buffer) => void

/**
 * Takes WebSocket handshakes. What speaks for the path (no such place, a strange origin, no such subprotocol) is refused
 * by HTTP, so that clients fall back; what speaks for the job is said on the socket, since browsers hide a handshake's status.
 */
export function createUpgrade({ settings, connections, metrics }: Parts): Upgrade {
  const server = new WebSocketServer({
    noServer: true,
    clientTracking: false,
    perMessageDeflate: false,
    maxPayload: MAX_MESSAGE_BYTES,
    handleProtocols: (offered) => offered.has(SUBPROTOCOL) && SUBPROTOCOL
  })

  return (req, socket, head) => {
    socket.on('error', ignore) // 'close' follows
    let makeRequest: () => Request
    let request: Request
    try {
      makeRequest = checkHandshake(req, settings, connections)
      request = makeRequest()
      checkOrigin(request, settings)
    } catch (error) {
      return refuseHandshake(socket, counted(error))
    }
    server.handleUpgrade(req, socket, head, (ws) => {
      try {
        const asks = asksOf(request, settings)
        const window = windowBytes(request)
        const slot = connections.admit(req.socket.remoteAddress, 'websocket')
        serveSocket({ ws, socket, makeRequest, asks, windowBytes: window, slot, settings })
      } catch (error) {
        refuseSocket(ws, counted(error), settings)
      }
    })
  }

  function counted(error: unknown): Refusal {
    const refusal = error instanceof Refusal ? error : internal()
    metrics.rejected(refusal.status)
    return refusal
  }
}

/** No listener that stays with the socket may be a closure of a place that knows the request: it would keep it. */
const ignore = () => {}

/** Returns how the request is made: each follower would hold more in it than in all the rest. */
function checkHandshake(req: IncomingMessage, { basePath }: Settings, connections: Connections): () => Request {
  if (connections.closing) throw closing()
  const url = urlOf(req)
  const path = url && pathBelow(basePath, url.pathname)
  if (!url || path === undefined || !path.endsWith('/events')) throw notFound()
  const offered = (req.headers['sec-websocket-protocol'] ?? '').split(',').map((each) => each.trim())
  if (!offered.includes(SUBPROTOCOL)) throw badRequest(`Sec-WebSocket-Protocol: expected ${SUBPROTOCOL}`)
  const token = bearerOf(offered)
  return requestMaker(req.headers, url.href, {
    'sec-websocket-protocol': SUBPROTOCOL,
    ...(token === undefined || req.headers.authorization ? {} : { authorization: `Bearer ${token}` })
  })
}

const requestMaker = (headers: IncomingMessage['headers'], url: string, extra: Record<string, string>) => (): Request =>
  requestOf({ method: 'GET', headers }, url, extra)

/** A token that came as a subprotocol (PROTOCOL.md §5); passed over where no header could carry it. */
function bearerOf(offered: readonly string[]): string | undefined {
  const encoded = offered.find((each) => each.startsWith(BEARER_PREFIX))?.slice(BEARER_PREFIX.length)
  const token = encoded && Buffer.from(encoded, 'base64url').toString('latin1')
  return token && BEARER_TOKEN.test(token) ? token : undefined
}

function asksOf(request: Request, { basePath, maxJobsPerConnection }: Settings): Ask[] {
  const route = findRoute(pathBelow(basePath, new URL(request.url).pathname) ?? '')
  if (route.to !== 'events') throw notFound()
  return asked(route, request, maxJobsPerConnection)
}

function refuseHandshake(socket: Duplex, refusal: Refusal): void {
  const { headers, body } = problemBody(refusal)
  const lines = Object.entries({ ...headers, 'Content-Length': Buffer.byteLength(body), Connection: 'close' }).map(([name, value]) => `${name}: ${value}\r\n`)
  socket.end(`HTTP/1.1 ${refusal.status} Refused\r\n${lines.join('')}\r\n${body}`, () => socket.destroy())
}
