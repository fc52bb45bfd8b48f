import { once } from 'node:events'
import http from 'node:http'
import http2 from 'node:http2'
import type { AddressInfo } from 'node:net'
import { expect, onTestFinished, test, vi } from 'vitest'
import { attachTo } from '../../../src/server/adapters/attach.ts'
import { createBodyReader } from '../../../src/server/body-reader.ts'
import { createJobServer } from '../../../src/server/index.ts'
import { openStream } from '../clients.ts'
import { serve } from '../serve.ts'
import { openRaw, PATIENCE, UPGRADE } from './raw.ts'

vi.setConfig({ testTimeout: 30_000 })

test('a slow body is answered with 408 in time, and its connection is closed', async () => {
  const start = vi.fn()
  const { port, post } = await serve({ start, bodyTimeoutMs: 1000 })
  const slow = await openRaw(port, 'POST /jobs HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\n{')
  await slow.closed
  expect(slow.text()).toMatch(/^HTTP\/1.1 408 /)
  expect(slow.text()).toContain('"title":"Request Timeout"')
  expect(slow.text()).not.toContain('"code"')
  expect(start).not.toHaveBeenCalled()
  expect((await post('', '{}')).status).toBe(202)
})

test('the same with fetch', async () => {
  const jobs = createJobServer({ start: () => 1, bodyTimeoutMs: 50 })
  onTestFinished(() => jobs.close())
  const body = new ReadableStream({ start: (controller) => controller.enqueue(new TextEncoder().encode('{')) })
  // as: `duplex` is missing from the DOM's types
  const response = await jobs.fetch(new Request('http://localhost/jobs', { method: 'POST', body, duplex: 'half' } as RequestInit))
  expect(response.status).toBe(408)
})

test('all bodies together hold a limited number of bytes', async () => {
  const bodies = createBodyReader({ maxBodyBytes: 10, bodyTimeoutMs: 60_000 })
  const ends: (() => void)[] = []
  async function* unfinished() {
    yield new Uint8Array(10).fill(0x31)
    await new Promise<void>((resolve) => ends.push(resolve))
  }
  async function* short() {
    yield new Uint8Array([0x32])
  }
  const all = Array.from({ length: 64 }, () => bodies.read(unfinished()))
  await vi.waitFor(() => expect(ends).toHaveLength(64), PATIENCE)
  await expect(bodies.read(short())).rejects.toMatchObject({ status: 503, code: 'busy', retryAfterMs: 1000 })
  ends[0]?.()
  expect(await all[0]).toBe('1111111111')
  expect(await bodies.read(short())).toBe('2')
  for (const end of ends) end()
  await Promise.all(all)
})

test('node:http cuts slow headers of a request and of a handshake, and open streams stay open', async () => {
  const jobs = createJobServer({ heartbeatMs: 10_000 })
  onTestFinished(() => jobs.close({ graceMs: 100 }))
  const { id } = await jobs.publish('42', 'queued')
  const server = http.createServer({ headersTimeout: 2000, requestTimeout: 2000, connectionsCheckingInterval: 100 })
  jobs.attach(server)
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  onTestFinished(() => void server.close())
  const { port } = server.address() as AddressInfo // as: it listens on TCP
  const base = `http://127.0.0.1:${port}/jobs`
  const stream = await openStream(`${base}/42/events`)
  const poll = fetch(`${base}/42/events?after=${id}&wait=55`)
  const handshake = UPGRADE.slice(0, -4)
  const slow = await Promise.all(
    ['', 'GET /jobs/42/events HTTP/1.1\r\nHost: x', `GET /jobs/42/events HTTP/1.1\r\n${handshake}`].map((text) => openRaw(port, text))
  )
  await Promise.all(slow.map(({ closed }) => closed))
  for (const { text } of slow) expect(text()).toMatch(/^HTTP\/1.1 408 /)
  await jobs.publish('42', 'succeeded')
  expect(await (await poll).json()).toMatchObject({ events: [{ type: 'succeeded' }] })
  await stream.ended
  expect(stream.controls().at(-1)).toMatchObject({ control: 'done' })
})

test('an HTTP/2 session without requests is closed, and one with an open stream is not', async () => {
  const jobs = createJobServer({ heartbeatMs: 20 })
  onTestFinished(() => jobs.close({ graceMs: 100 }))
  await jobs.publish('42', 'queued')
  const server = http2.createServer()
  // as: the session is the same without TLS
  attachTo(server as never, { handle: jobs.handle, upgrade: jobs.upgrade, isOutside: () => false, idleSessionMs: 3000 })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  onTestFinished(() => void server.close())
  const open = () => {
    const session = http2.connect(`http://127.0.0.1:${(server.address() as AddressInfo).port}`) // as: it listens on TCP
    onTestFinished(() => session.destroy())
    return session
  }
  const reading = open()
  const stream = reading.request({ ':path': '/jobs/42/events', accept: 'text/event-stream' })
  stream.resume()
  await once(stream, 'response')
  const idle = open()
  await once(idle, 'close')
  expect(reading.closed).toBe(false)
  stream.close()
  await once(reading, 'close')
}, 30_000)
