/** Servers to be compared, each in a process of its own: `node --expose-gc bench/server/contestants.ts <name>`, told what to do by its parent. */

import { once } from 'node:events'
import http from 'node:http'
import type { AddressInfo } from 'node:net'
import { createChannel, createSession } from 'better-sse'
import { Server as SocketIo } from 'socket.io'
import { WebSocketServer } from 'ws'
import { createJobServer } from '../../src/server/index.ts'

/** What every follower receives: `t` is when it was sent, in ms since 1970. */
interface Payload {
  t: number
  n: number
  text: string
}

type Publish = (payload: Payload) => Promise<unknown> | unknown

const PADDING = 'x'.repeat(40)

const contestants: Record<string, (server: http.Server) => Publish> = {
  jobtail(server) {
    const jobs = createJobServer({ maxConnections: 50_000 })
    jobs.attach(server)
    void jobs.publish('bench', 'queued', {})
    return (payload) => jobs.publish('bench', 'progress', payload)
  },
  ws(server) {
    const sockets = new WebSocketServer({ server, perMessageDeflate: false })
    let n = 0
    return (data) => {
      n += 1
      // As much as an event of the protocol says.
      const text = JSON.stringify({ id: `mf3k2xabcdef-${n}`, seq: n, job: 'bench', type: 'progress', time: new Date().toISOString(), data })
      for (const ws of sockets.clients) ws.send(text)
    }
  },
  'socket.io'(server) {
    const io = new SocketIo(server, { transports: ['websocket'], pingInterval: 600_000, serveClient: false })
    return (payload) => io.emit('progress', payload)
  },
  'better-sse'(server) {
    const channel = createChannel()
    server.on('request', async (req, res) => channel.register(await createSession(req, res)))
    return (payload) => channel.broadcast(payload, 'message')
  }
}

const [name = ''] = process.argv.slice(2)
const make = contestants[name]
if (!make) throw new Error(`expected one of ${Object.keys(contestants).join(', ')}, got ${name}`)
const server = http.createServer()
const publish = make(server)
server.listen({ port: 0, host: '127.0.0.1', backlog: 4096 })
await once(server, 'listening')
let n = 0

async function send(count: number, pauseMs: number): Promise<void> {
  for (let sent = 0; sent < count; sent += 1) {
    n += 1
    await publish({ t: performance.timeOrigin + performance.now(), n, text: PADDING })
    if (pauseMs > 0) await new Promise((resolve) => setTimeout(resolve, pauseMs))
  }
}

process.on('message', async (told: { do: 'rss' } | { do: 'send'; count: number; pauseMs: number }) => {
  if (told.do === 'send') await send(told.count, told.pauseMs)
  for (let round = 0; round < 3 && told.do === 'rss'; round += 1) {
    globalThis.gc?.()
    await new Promise((resolve) => setTimeout(resolve, 100))
  }
  process.send?.({ rss: process.memoryUsage().rss })
})
process.send?.({ port: (server.address() as AddressInfo).port }) // as: it listens on TCP
