/** A proxy that misbehaves on demand. HTTP and WebSockets pass it through real sockets, and its faults also act on open connections. */

import http from 'node:http'
import type { AddressInfo } from 'node:net'
import type { Duplex } from 'node:stream'
import { createExchange, type Exchange } from './proxy/exchange.ts'
import { type Faults, noFaults, type Path, paths } from './proxy/faults.ts'
import { type ExchangeKind, pathOf } from './proxy/policy.ts'
import { answerPage, type Begin, hangUp, ignoreRequest, passRequest } from './proxy/request.ts'
import { ignoreUpgrade, passUpgrade, refuseUpgrade } from './proxy/upgrade.ts'

export type { Faults } from './proxy/faults.ts'

/** A request or handshake on the faulty path. */
export interface Arrival {
  /** ms since 1970, by the process's monotonic clock. */
  at: number
  method: string
  url: string
  isUpgrade: boolean
  accept: string | undefined
}

export interface ProxyOptions {
  /** The origin that requests are passed on to. */
  target: string | URL
  /** Only this path, and paths below it, have faults. Default `/jobs`. */
  path?: string
  /** Answers requests for all other paths. Default: 404. */
  elsewhere?: http.RequestListener
  /** Default 0: any free port. */
  port?: number
  /** Default `127.0.0.1`. */
  host?: string
  onArrival?: (arrival: Arrival) => void
}

export interface FaultyProxy {
  readonly port: number
  /** Its origin, without a slash at the end. */
  readonly url: string
  readonly faults: Readonly<Faults>
  /** How many exchanges are open on the faulty path. */
  readonly connections: Readonly<Record<ExchangeKind, number>>
  /** How much longer `awayFor` lasts; 0 if the server is there. */
  readonly awayMs: number
  /** Changes some of the faults. They also act on open connections. */
  set(faults: Partial<Faults>): void
  /** Cuts every connection of the faulty path, once. */
  cut(): void
  /** Cuts every connection of the faulty path, then answers with 502 for this long. */
  awayFor(ms: number): void
  /** Ends `awayFor` early. */
  back(): void
  /** Cuts every connection, also of other paths, and accepts none until `listen`. */
  unlisten(): void
  /** Listens on the same port as before. Rejects if another process has taken it. */
  listen(): Promise<void>
  close(): Promise<void>
}

/** Resolves when the proxy listens. */
export async function createProxy({
  target,
  path = '/jobs',
  elsewhere = (_, res) => answerPage(res, 404),
  port = 0,
  host = '127.0.0.1',
  onArrival
}: ProxyOptions): Promise<FaultyProxy> {
  const origin = new URL(target)
  const exchanges = new Map<Exchange, Path>()
  const bornAt = new WeakMap<Duplex, number>()
  let faults: Faults = { ...noFaults }
  let awayUntil = 0

  const isFaulty = (req: http.IncomingMessage): boolean => {
    const { pathname } = new URL(req.url ?? '/', origin)
    return pathname === path || pathname.startsWith(`${path}/`)
  }
  const awayMs = (): number => Math.max(0, awayUntil - performance.now())
  const faultsOf = (path: Path): Faults => (paths.indexOf(path) <= paths.indexOf(faults.upTo) ? faults : noFaults)
  const beginFor =
    (path: Path, { socket }: http.IncomingMessage): Begin =>
    (options) => {
      const exchange = createExchange({
        ...options,
        faults: faultsOf(path),
        bornAt: bornAt.get(socket) ?? performance.now(),
        onEnd: () => {
          exchanges.delete(exchange)
          options.onEnd()
        }
      })
      exchanges.set(exchange, path)
      return exchange
    }
  const arrived = (req: http.IncomingMessage, isUpgrade: boolean): void =>
    onArrival?.({ at: performance.timeOrigin + performance.now(), method: req.method ?? '', url: req.url ?? '', isUpgrade, accept: req.headers.accept })

  const server = http.createServer((req, res) => {
    if (!isFaulty(req)) return elsewhere(req, res)
    arrived(req, false)
    if (awayMs() > 0) return answerPage(res, 502)
    const path = pathOf(req)
    const { http: opening } = faultsOf(path)
    if (opening === 'refuse') return answerPage(res, 403)
    if (opening === 'reset') return hangUp(req.socket, true)
    if (opening === 'unanswered') return ignoreRequest(req, res, beginFor(path, req))
    passRequest(origin, req, res, beginFor(path, req))
  })
  server.on('connection', (socket) => bornAt.set(socket, performance.now()))
  server.on('upgrade', (req: http.IncomingMessage, socket: Duplex, head: Buffer) => {
    if (!isFaulty(req)) return refuseUpgrade(socket, 404)
    arrived(req, true)
    if (awayMs() > 0) return refuseUpgrade(socket, 502)
    const begin = beginFor('websocket', req)
    if (faults.webSocket === 'refuse') return refuseUpgrade(socket, 403)
    if (faults.webSocket === 'reset') return hangUp(socket, true)
    if (faults.webSocket === 'unanswered') return ignoreUpgrade(socket, begin)
    passUpgrade(origin, req, socket, head, begin)
  })
  const cut = (): void => {
    for (const exchange of [...exchanges.keys()]) exchange.cut()
  }
  let wantedPort = port
  const listen = (): Promise<void> =>
    new Promise((resolve, reject) => {
      server.once('error', reject).listen(wantedPort, host, () => {
        server.off('error', reject)
        resolve()
      })
    })
  await listen()
  const address = server.address() as AddressInfo // as: it listens on a port

  wantedPort = address.port

  return {
    port: address.port,
    url: `http://${host.includes(':') ? `[${host}]` : host}:${address.port}`,
    get faults() {
      return faults
    },
    get connections() {
      const counts = { websocket: 0, stream: 0, request: 0 }
      for (const { kind } of exchanges.keys()) counts[kind] += 1
      return counts
    },
    get awayMs() {
      return awayMs()
    },
    set(changes) {
      faults = { ...faults, ...changes }
      for (const [exchange, path] of [...exchanges]) exchange.apply(faultsOf(path))
    },
    cut,
    awayFor(ms) {
      awayUntil = performance.now() + ms
      cut()
    },
    back() {
      awayUntil = 0
    },
    unlisten() {
      server.close()
      cut()
      server.closeAllConnections()
    },
    listen,
    async close() {
      const closed = server.listening && new Promise((resolve) => server.close(resolve))
      cut()
      server.closeAllConnections()
      await closed
    }
  }
}
