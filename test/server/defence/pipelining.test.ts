import { once } from 'node:events'
import http from 'node:http'
import type { AddressInfo } from 'node:net'
import { expect, onTestFinished, test, vi } from 'vitest'
import { createJobServer } from '../../../src/server/index.ts'
import { createGate } from '../gate.ts'
import { serve } from '../serve.ts'
import { openRaw, PATIENCE } from './raw.ts'

vi.setConfig({ testTimeout: 30_000 })

const ask = (path: string, accept = 'application/json'): string => `GET /jobs${path} HTTP/1.1\r\nHost: x\r\nAccept: ${accept}\r\n\r\n`

test('pipelined requests are answered in order, one at a time', async () => {
  const gate = createGate()
  const { jobs, port } = await serve({ log: gate.log })
  const { id } = await jobs.publish('42', 'queued')
  const raw = await openRaw(port, ask(`/42/events?after=${id}&wait=55`) + ask('/42/events').repeat(50) + ask('/42'))
  await gate.watched('42')
  // A request on another connection. Its answer shows that the pipelined ones had enough time.
  await (await fetch(`http://127.0.0.1:${port}/jobs/42`)).text()
  expect(gate.eventsRead()).toBe(0)
  expect(jobs.metrics().connections).toMatchObject({ 'long-poll': 1, 'short-poll': 0 })
  await jobs.publish('42', 'succeeded')
  await vi.waitFor(() => expect(raw.text().split('HTTP/1.1 200')).toHaveLength(53), PATIENCE)
})

test('pipelined requests that had not begun when the connection broke never begin, and leave nothing behind', async () => {
  const gate = createGate()
  const { jobs, port } = await serve({ log: gate.log })
  await jobs.publish('42', 'queued')
  const raw = await openRaw(port, ask('/42/events', 'text/event-stream').repeat(3))
  await gate.watched('42')
  raw.socket.destroy()
  await vi.waitFor(() => expect(gate.watching()).toBe(0), PATIENCE)
  expect(jobs.metrics().connections).toMatchObject({ sse: 0 })
})

test('a request that middleware has answered does not block those after it', async () => {
  const jobs = createJobServer({ onError: () => {} })
  onTestFinished(() => jobs.close())
  await jobs.publish('42', 'queued')
  const server = http.createServer((req, res) => {
    if (!req.url?.endsWith('?first')) return jobs.handle(req, res)
    res.on('close', () => setImmediate(() => jobs.handle(req, res)))
    res.end('mine')
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  onTestFinished(() => {
    server.closeAllConnections()
    server.close()
  })
  const raw = await openRaw((server.address() as AddressInfo).port, ask('/42?first')) // as: it listens on TCP
  await vi.waitFor(() => expect(raw.text()).toContain('mine'), PATIENCE)
  raw.socket.write(ask('/42'))
  await vi.waitFor(() => expect(raw.text()).toContain('"id":"42"'), PATIENCE)
})
