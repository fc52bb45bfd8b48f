/** The servers that are compared, each in its own process: `node --expose-gc bench/server/contestants.ts <name>`. The parent sends the orders. */

import { once } from 'node:events'
import http from 'node:http'
import type { AddressInfo } from 'node:net'
import { setImmediate as nextTurn, setTimeout as pause } from 'node:timers/promises'
import { createChannel, createSession } from 'better-sse'
import { Server as SocketIo } from 'socket.io'
import { WebSocketServer } from 'ws'
import { createJobServer } from '../../src/server/index.ts'
import { createPayloads, eventOf, type Payload } from './payload.ts'

type Publish = (payload: Payload) => Promise<unknown> | unknown

const contestants: Record<string, (server: http.Server) => Publish> = {
  jobtail(server) {
    const jobs = createJobServer({ maxReaders: 50_000 })
    jobs.attach(server)
    void jobs.publish('bench', 'queued', {})
    return (payload) => jobs.publish('bench', 'progress', payload)
  },
  ws(server) {
    const sockets = new WebSocketServer({ server, perMessageDeflate: false })
    return (payload) => {
      const text = JSON.stringify(eventOf(payload))
      for (const ws of sockets.clients) ws.send(text)
    }
  },
  'socket.io'(server) {
    const io = new SocketIo(server, { transports: ['websocket'], pingInterval: 600_000, serveClient: false })
    return (payload) => io.emit('progress', eventOf(payload))
  },
  'better-sse'(server) {
    const channel = createChannel()
    server.on('request', async (req, res) => channel.register(await createSession(req, res)))
    return (payload) => channel.broadcast(eventOf(payload), 'message')
  }
}

const [name = ''] = process.argv.slice(2)
const make = contestants[name]
if (!make) throw new Error(`expected one of ${Object.keys(contestants).join(', ')}, got ${name}`)
const server = http.createServer()
const publish = make(server)
server.listen({ port: 0, host: '127.0.0.1', backlog: 4096 })
await once(server, 'listening')
const nextPayload = createPayloads()

async function send(count: number, pauseMs: number): Promise<void> {
  for (let sent = 0; sent < count; sent += 1) {
    await publish(nextPayload())
    // Each event in its own turn of the event loop, since only some servers combine what is sent within one turn.
    if (pauseMs > 0) await pause(pauseMs)
    else await nextTurn()
  }
}

function cpuMs(): number {
  const { user, system } = process.cpuUsage()
  return (user + system) / 1000
}

/** The memory in bytes after three garbage collections. */
async function memory(): Promise<number> {
  for (let round = 0; round < 3; round += 1) {
    globalThis.gc?.()
    await pause(100)
  }
  return process.memoryUsage.rss()
}

type Told = { do: 'memory' } | { do: 'cpu' } | { do: 'send'; count: number; pauseMs: number }

process.on('message', async (told: Told) => {
  if (told.do === 'memory') return process.send?.(await memory())
  if (told.do === 'send') await send(told.count, told.pauseMs)
  process.send?.(cpuMs())
})
process.send?.({ port: (server.address() as AddressInfo).port }) // as: it listens on TCP
