import { expect, test, vi } from 'vitest'
import { openSocket } from '../clients.ts'
import { serve } from '../serve.ts'
import { openRaw, PATIENCE, UPGRADE } from './raw.ts'

vi.setConfig({ testTimeout: 30_000 })

const MASK = [0, 0, 0, 0]
const bytes = (...parts: (number | string | Buffer)[]): Buffer =>
  Buffer.concat(parts.map((part) => (typeof part === 'number' ? Buffer.from([part]) : Buffer.from(part))))

/** Malformed WebSocket data, each with the code that the socket is closed with (RFC 6455 §§5, 7.4.1). */
const FRAMES: [string, Buffer, number][] = [
  ['an unmasked frame', bytes(0x81, 2, '{}'), 1002],
  ['a reserved bit', bytes(0xc1, 0x80, ...MASK), 1002],
  ['an unknown opcode', bytes(0x83, 0x80, ...MASK), 1002],
  ['a continuation without a start', bytes(0x80, 0x80, ...MASK), 1002],
  ['a fragmented control frame', bytes(0x09, 0x80, ...MASK), 1002],
  ['a control frame of 126 bytes', bytes(0x89, 0xfe, 0, 126, ...MASK), 1002],
  ['a length above 2^53', bytes(0x81, 0xff, ...Array(8).fill(0xff), ...MASK), 1009],
  ['a length of a terabyte', bytes(0x81, 0xff, 0, 0, 1, 0, 0, 0, 0, 0, ...MASK), 1009],
  ['text that is no UTF-8', bytes(0x81, 0x81, ...MASK, 0xff), 1007],
  ['a fragmented message that is too long', bytes(0x01, 0x80, ...MASK, ...Array(3).fill(bytes(0x00, 0xfe, 0x20, 0, ...MASK, 'x'.repeat(8192)))), 1009]
]

test.each(FRAMES)('a socket that sends %s is closed, and disturbs nobody else', async (_, frame, code) => {
  const onError = vi.fn()
  const { port, base, jobs } = await serve({ onError })
  await jobs.publish('42', 'queued')
  const other = openSocket(`${base}/42/events`)
  const raw = await openRaw(port, `GET /jobs/42/events HTTP/1.1\r\nHost: x\r\n${UPGRADE}`)
  await vi.waitFor(() => expect(raw.text()).toContain('"queued"'), PATIENCE)
  raw.socket.write(frame)
  const close = Buffer.from([0x88, 2, code >> 8, code & 0xff]).toString('latin1')
  await vi.waitFor(() => expect(raw.text().endsWith(close)).toBe(true), PATIENCE)
  raw.socket.end()
  await raw.closed
  await vi.waitFor(() => expect(jobs.metrics().connections).toMatchObject({ websocket: 1 }), PATIENCE)
  await jobs.publish('42', 'started')
  await vi.waitFor(() => expect(other.events()).toHaveLength(2), PATIENCE)
  expect(onError).not.toHaveBeenCalled()
})

test('after a malformed operation nothing is subscribed, not even a job that waits for its permission, and the socket is closed', async () => {
  const pending = Promise.withResolvers<boolean>()
  const { port, jobs } = await serve({ authorize: ({ jobId }) => jobId !== 'slow' || pending.promise })
  for (const job of ['42', 'slow']) await jobs.publish(job, 'queued')
  const raw = await openRaw(port, `GET /jobs/events HTTP/1.1\r\nHost: x\r\n${UPGRADE}`)
  await vi.waitFor(() => expect(raw.text()).toContain('"hello"'), PATIENCE)
  const message = (operation: string) => bytes(0x81, 0x80 + operation.length, ...MASK, operation)
  // In one write, so that the next message has arrived before any is answered.
  raw.socket.write(bytes(message('{"op":"subscribe","job":"slow"}'), message('{}'), message('{"op":"subscribe","job":"42"}')))
  await vi.waitFor(() => expect(raw.text()).toContain('"status":400'), PATIENCE)
  pending.resolve(true)
  await raw.closed
  expect(raw.text()).not.toContain('subscribed')
  expect(raw.text().endsWith(Buffer.from([0x88, 2, 4400 >> 8, 4400 & 0xff]).toString('latin1'))).toBe(true)
})

test('answers to pings that are not read do not pile up without limit', async () => {
  const { port, jobs } = await serve()
  await jobs.publish('42', 'queued')
  const raw = await openRaw(port, `GET /jobs/42/events HTTP/1.1\r\nHost: x\r\n${UPGRADE}`)
  await vi.waitFor(() => expect(raw.text()).toContain('"queued"'), PATIENCE)
  raw.socket.pause()
  const ping = bytes(0x89, 0x80 + 125, ...MASK, 'x'.repeat(125))
  const many = Buffer.concat(Array.from({ length: 1000 }, () => ping))
  const before = process.memoryUsage().rss
  // 250 MB of messages: the next can be written only if the server reads each.
  for (let n = 0; n < 2000; n += 1) await new Promise((resolve) => raw.socket.write(many, resolve))
  expect(process.memoryUsage().rss - before).toBeLessThan(125 * 2 ** 20)
  await jobs.publish('42', 'succeeded')
}, 60_000)

test.each([
  ['a path', 'Host: x/jobs', '/42/events'],
  ['a query', 'Host: x?', '/jobs/42/events'],
  ['a backslash', 'Host: x\\jobs', '/42/events'],
  ['credentials', 'Host: a:b@x', '/jobs/42/events']
])('a Host of %s is refused, because the path must not come from it', async (_, host, target) => {
  const onError = vi.fn()
  const { port, jobs } = await serve({ onError })
  await jobs.publish('42', 'queued')
  const raw = await openRaw(port, `GET ${target} HTTP/1.1\r\n${host}\r\n\r\n`)
  await vi.waitFor(() => expect(raw.text()).toMatch(/^HTTP\/1.1 400 /), PATIENCE)
  const socket = await openRaw(port, `GET ${target} HTTP/1.1\r\n${host}\r\n${UPGRADE}`)
  await vi.waitFor(() => expect(socket.text()).toMatch(/^HTTP\/1.1 404 /), PATIENCE)
  expect(onError).not.toHaveBeenCalled()
})

test('an empty Host is accepted', async () => {
  const { port, jobs } = await serve()
  await jobs.publish('42', 'queued')
  const raw = await openRaw(port, 'GET /jobs/42/events HTTP/1.1\r\nHost:\r\n\r\n')
  await vi.waitFor(() => expect(raw.text()).toMatch(/^HTTP\/1.1 200 /), PATIENCE)
})

test.each([
  ['text that is not HTTP', 'hello\r\n\r\n'],
  ['a TLS hello', '\x16\x03\x01\x02\x00\x01\x00\x01\xfc'],
  ['headers of 100 kB', `GET /jobs/42/events HTTP/1.1\r\nHost: x\r\nX: ${'x'.repeat(100_000)}\r\n\r\n`],
  ['a negative length', 'POST /jobs HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n'],
  ['a length and chunked encoding', 'POST /jobs HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n'],
  ['an invalid chunk', 'POST /jobs HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n'],
  ['a handshake without a key', `GET /jobs/42/events HTTP/1.1\r\nHost: x\r\n${UPGRADE.replace(/Sec-WebSocket-Key.*\r\n/, '')}`],
  ['a handshake of another version', `GET /jobs/42/events HTTP/1.1\r\nHost: x\r\n${UPGRADE.replace('13', '99')}`]
])('%s is refused, and the connection is closed', async (_, text) => {
  const { port, get } = await serve({ start: () => 1 })
  const raw = await openRaw(port, text)
  await vi.waitFor(() => expect(raw.text()).toMatch(/^HTTP\/1.1 4\d\d /), PATIENCE)
  await raw.closed
  expect((await get('/none')).status).toBe(404)
})
