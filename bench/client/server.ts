/** The server of all contestants, in its own process: `node bench/client/server.ts <bundle>`. The page orders it to make jobs and append events. */

import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import http from 'node:http'
import type { AddressInfo } from 'node:net'
import { json } from 'node:stream/consumers'
import { setImmediate as nextTurn } from 'node:timers/promises'
import { Server as SocketIo } from 'socket.io'
import { WebSocketServer } from 'ws'
import { createJobServer, memoryLog } from '../../src/server/index.ts'
import { bundlePage } from './bundle.ts'
import { plainLog, serveSocketIo, serveSockets, serveStream } from './plain.ts'
import { clock, replayed, type Source } from './spec.ts'

export type Order =
  /** Makes jobs with one event each: `topic`, or with `count`, `topic-0` and so on. */
  | { do: 'prepare'; source: Source; topic: string; count?: number }
  /** Appends events. Answered when all are appended. */
  | { do: 'burst'; source: Source; topic: string; events: number; isPaced: boolean }
  /** Appends an event every `everyMs` for the next `forMs`. */
  | { do: 'tick'; source: Source; topic: string; everyMs: number; forMs: number }

const REPLAYED = [10_000, 100_000]

const [bundle = ''] = process.argv.slice(2)
const page = await bundlePage()
const jobtail = readFileSync(bundle)
const html =
  '<!doctype html><title>Bench</title><link rel="icon" href="data:,"><script src="/jobtail.js"></script><script type="module" src="/page.js"></script>'

const plain = plainLog()
const jobs = createJobServer({ log: memoryLog({ maxEvents: 1_000_000 }) })
const publishers: Record<Source, (topic: string, type: string, data: unknown) => unknown> = {
  kit: (topic, type, data) => jobs.publish(topic, type, data),
  plain: plain.publish
}

/** Appends events of about 150 bytes. */
async function append(source: Source, topic: string, count: number, isPaced: boolean): Promise<void> {
  const publish = publishers[source]
  for (let current = 1; current <= count; current += 1) {
    await publish(topic, 'progress', { current, total: count })
    if (isPaced) await nextTurn()
  }
}

async function tick(source: Source, topic: string, everyMs: number, forMs: number): Promise<void> {
  const publish = publishers[source]
  await publish(topic, 'progress', { at: clock() })
  const timer = setInterval(() => void publish(topic, 'progress', { at: clock() }), everyMs)
  setTimeout(() => clearInterval(timer), forMs)
}

async function carryOut(order: Order): Promise<object> {
  const { source, topic } = order
  const startedAt = clock()
  if (order.do === 'tick') await tick(source, topic, order.everyMs, order.forMs)
  else if (order.do === 'burst') await append(source, topic, order.events, order.isPaced)
  else if (order.count === undefined) await publishers[source](topic, 'started', {})
  else for (let index = 0; index < order.count; index += 1) await publishers[source](`${topic}-${index}`, 'started', {})
  return { startedAt, endedAt: clock() }
}

for (const source of ['kit', 'plain'] as const)
  for (const events of REPLAYED) {
    await append(source, replayed(events), events - 1, false)
    await publishers[source](replayed(events), 'succeeded', {})
  }

function send(res: http.ServerResponse, type: string, body: string | Buffer): void {
  res.writeHead(200, { 'content-type': `${type}; charset=utf-8`, 'cache-control': 'no-store' }).end(body)
}

// Keeps the connection that a page has opened alive for the next page.
const server = http.createServer({ keepAliveTimeout: 120_000, noDelay: true }, async (req, res) => {
  const { pathname } = new URL(req.url ?? '/', 'http://localhost')
  if (pathname === '/run') send(res, 'text/html', html)
  else if (pathname === '/jobtail.js') send(res, 'text/javascript', jobtail)
  else if (pathname === '/page.js') send(res, 'text/javascript', page)
  else if (pathname === '/plain') serveStream(plain, req, res)
  else if (pathname === '/order')
    send(res, 'application/json', JSON.stringify(await carryOut((await json(req)) as Order))) // as: what the page sends
  else if (!pathname.startsWith('/socket.io/')) res.writeHead(404).end()
})

const sockets = new WebSocketServer({ noServer: true, perMessageDeflate: false })
server.on('upgrade', (req, socket, head) => {
  if (req.url?.startsWith('/ws')) sockets.handleUpgrade(req, socket, head, (ws) => sockets.emit('connection', ws, req))
})
serveSockets(plain, sockets)
serveSocketIo(plain, new SocketIo(server, { serveClient: false, destroyUpgrade: false }))
jobs.attach(server)
await once(server.listen(0, '127.0.0.1'), 'listening')
process.once('disconnect', () => process.exit())
process.send?.({ port: (server.address() as AddressInfo).port }) // as: it listens on TCP
