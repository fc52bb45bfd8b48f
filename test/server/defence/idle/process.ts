/** A server in a process of its own, so that its memory can be measured: a job server (`jobs`), or bare connections to compare with. */

import http from 'node:http'
import type { AddressInfo } from 'node:net'
import { WebSocketServer } from 'ws'
import { createJobServer } from '../../../../src/server/index.ts'

export type Order = { do: 'measure' } | { do: 'publish'; jobs: readonly string[]; type: string }
export type Report = { port: number } | { bytes: number; rss: number; connections: number } | { done: true }

const report = (message: Report): void => void process.send?.(message)
const server = http.createServer()
const isBare = process.argv[2] === 'bare'
const jobs = createJobServer()
if (isBare) serveBare()
else jobs.attach(server)

/** Answers with as many bytes as a reading begins with, and keeps the connection open. */
function serveBare(): void {
  const first = 'x'.repeat(300)
  const sockets = new WebSocketServer({ noServer: true, perMessageDeflate: false, handleProtocols: () => 'jobtail.v1' })
  const held = new Set<unknown>()
  server.on('request', (_, res) => {
    held.add(res)
    res.on('close', () => held.delete(res))
    res.writeHead(200, { 'Content-Type': 'text/event-stream' }).write(first)
  })
  server.on('upgrade', (req, socket, head) => sockets.handleUpgrade(req, socket, head, (ws) => ws.send(first)))
}

async function obey(order: Order): Promise<void> {
  if (order.do === 'publish') {
    for (const job of order.jobs) await jobs.publish(job, order.type)
    return report({ done: true })
  }
  // Twice: some objects can be collected only after the first collection and a turn of the event loop.
  for (let n = 0; n < 2; n += 1) {
    globalThis.gc?.()
    await new Promise((resolve) => setImmediate(resolve))
  }
  const { heapUsed, external, rss } = process.memoryUsage()
  const connections = await new Promise<number>((resolve) => server.getConnections((_, count) => resolve(count)))
  report({ bytes: heapUsed + external, rss, connections })
}

process.on('message', (order) => void obey(order as Order)) // as: only the test sends any
server.listen(0, '127.0.0.1', () => report({ port: (server.address() as AddressInfo).port })) // as: it listens on TCP
