import { once } from 'node:events'
import { existsSync, readFileSync } from 'node:fs'
import http2 from 'node:http2'
import type { AddressInfo } from 'node:net'
import { afterEach, expect, onTestFinished, test, vi } from 'vitest'
import { createJobServer } from '../../../src/server/index.ts'
import { openSocket, openStream } from '../clients.ts'
import { serve } from '../serve.ts'
import { LARGE_BYTES, LARGE_EVENTS, largeLog } from './large-log.ts'
import { openRaw, PATIENCE, UPGRADE } from './raw.ts'

vi.setConfig({ testTimeout: 30_000 })

afterEach(() => void vi.useRealTimers())

const MIDDLE = LARGE_BYTES / 10
/** The largest buffers that the system gives a connection, on both sides: a busy Linux really grows them that far. */
const SYSTEM_BUFFERS = ['rmem', 'wmem'].reduce((sum, name) => {
  const file = `/proc/sys/net/ipv4/tcp_${name}`
  return sum + (existsSync(file) ? Number(readFileSync(file, 'utf8').split(/\s+/)[2]) : 8 * 2 ** 20)
}, 0)
/** An upper bound of the system's buffers, the server's buffers, and what was encoded for sending. */
const MOST_HELD = SYSTEM_BUFFERS + 8 * 2 ** 20

/** Reads a whole job as JSON, page by page. Resolves with the number of events. */
async function readAll(base: string, job: string): Promise<number> {
  let after = ''
  for (let events = 0; ; ) {
    const reading = await (await fetch(`${base}/${job}/events?after=${after}`)).json()
    events += reading.events.length
    if (!reading.more) return events
    after = reading.jobs[0].cursor
  }
}

const ASK: Record<string, string> = {
  sse: 'GET /jobs/large-stalled/events HTTP/1.1\r\nHost: x\r\nAccept: text/event-stream\r\n\r\n',
  websocket: `GET /jobs/large-stalled/events HTTP/1.1\r\nHost: x\r\n${UPGRADE}`,
  // As many requests as a client can send without waiting for an answer.
  'long-poll': 'GET /jobs/large-stalled/events?wait=30 HTTP/1.1\r\nHost: x\r\n\r\n'.repeat(100),
  'short-poll': 'GET /jobs/large-stalled/events HTTP/1.1\r\nHost: x\r\n\r\n'.repeat(100)
}

test.each(Object.keys(ASK))(
  'over %s, a reader that stops in the middle of 100 MB costs only its buffers, and disturbs nobody',
  async (transport) => {
    const { base, port, jobs } = await serve({ log: largeLog() })
    const stalled = await openRaw(port, ASK[transport] ?? '', MIDDLE)
    await vi.waitFor(() => expect(stalled.received).toBeGreaterThanOrEqual(MIDDLE), { timeout: 60_000 })
    const socket = openSocket(`${base}/small/events`)
    await jobs.publish('small', 'queued')
    await vi.waitFor(() => expect(socket.events()).toHaveLength(1), { timeout: 10_000 })
    // Another client reads the whole log meanwhile: enough time for the stalled one to receive all that it can.
    const brisk = await readAll(base, 'large-brisk')
    expect(brisk).toBe(LARGE_EVENTS)
    const delivered = Object.values(jobs.metrics().delivered).reduce((sum, count) => sum + count, 0) - brisk - socket.events().length
    expect((delivered * LARGE_BYTES) / LARGE_EVENTS).toBeLessThan(stalled.received + MOST_HELD)
    await jobs.publish('small', 'succeeded')
    await vi.waitFor(() => expect(socket.events()).toHaveLength(2), { timeout: 10_000 })
    // The stalled client was not given up either: it continues where it stopped.
    const before = stalled.received
    stalled.resume()
    await vi.waitFor(() => expect(stalled.received).toBeGreaterThan(before), { timeout: 10_000 })
  },
  120_000
)

test('over HTTP/2, a stream that is not read does not block other streams of its connection', async () => {
  const jobs = createJobServer({ log: largeLog() })
  onTestFinished(() => jobs.close({ graceMs: 100 }))
  const server = http2.createServer()
  jobs.attach(server as never) // as: without TLS it is the same
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const session = http2.connect(`http://127.0.0.1:${(server.address() as AddressInfo).port}`) // as: it listens on TCP
  onTestFinished(() => {
    session.destroy()
    server.close()
  })
  const accept = 'text/event-stream'
  const stalled = session.request({ ':path': '/jobs/large-stalled/events', accept })
  await once(stalled, 'response')
  await jobs.publish('small', 'queued')
  const small = session.request({ ':path': '/jobs/small/events', accept })
  let text = ''
  small.on('data', (data) => {
    text += data
  })
  await vi.waitFor(() => expect(text).toContain('"queued"'), { timeout: 10_000 })
  await jobs.publish('small', 'succeeded')
  await once(small, 'end')
  expect(text).toContain('"done"')
  expect((jobs.metrics().delivered.sse * LARGE_BYTES) / LARGE_EVENTS).toBeLessThan(MOST_HELD)
}, 60_000)

test('an answer that is not read counts as a connection, and is cut in the end', async () => {
  const { base, port, jobs, get, openConnections } = await serve({ maxReaders: 1, heartbeatMs: 1000 })
  await jobs.publish('large', 'output', 'x'.repeat(16_000_000))
  await jobs.publish('small', 'queued')
  expect((await get('/small/events')).status).toBe(200)
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] })
  const stalled = await openRaw(port, 'GET /jobs/large/events HTTP/1.1\r\nHost: x\r\n\r\n', 1)
  await vi.waitFor(() => expect(stalled.received).toBeGreaterThan(0), PATIENCE)
  expect((await get('/small/events')).status).toBe(503)
  expect(jobs.metrics().connections).toMatchObject({ 'short-poll': 1 })
  // The time that the answer may take at 16 kB a second.
  await vi.advanceTimersByTimeAsync(990_000)
  expect((await get('/small/events')).status).toBe(503)
  await vi.advanceTimersByTimeAsync(100_000)
  vi.useRealTimers()
  stalled.resume()
  await stalled.closed
  expect(stalled.received).toBeLessThan(16_000_000)
  expect((await get('/small/events')).status).toBe(200)
  const stream = await openStream(`${base}/small/events`)
  stream.stop()
  await vi.waitFor(async () => expect(await openConnections()).toBeLessThan(3), PATIENCE)
}, 30_000)

test('close lets an answer finish, and cuts one that is not read', async () => {
  const { port, jobs } = await serve()
  await jobs.publish('large', 'output', 'x'.repeat(16_000_000))
  const request = 'GET /jobs/large/events HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n'
  const stalled = await openRaw(port, request, 1)
  const slow = await openRaw(port, request, 1)
  await vi.waitFor(() => expect(Math.min(slow.received, stalled.received)).toBeGreaterThan(0), PATIENCE)
  const closed = jobs.close({ graceMs: 5000 })
  slow.resume()
  await slow.closed
  expect(slow.received).toBeGreaterThan(16_000_000)
  await closed
  stalled.resume()
  await stalled.closed
  expect(stalled.received).toBeLessThan(16_000_000)
}, 30_000)
