import { once } from 'node:events'
import { connect } from 'node:net'
import { afterEach, expect, test, vi } from 'vitest'
import { openSocket } from './clients.ts'
import { createGate } from './gate.ts'
import { serve } from './serve.ts'

afterEach(() => void vi.useRealTimers())

test('hello alone first, then subscribed and the available frames as one array', async () => {
  const { jobs, base } = await serve({ heartbeatMs: 12_000, maxJobsPerConnection: 5 })
  const queued = await jobs.publish('42', 'queued')
  const started = await jobs.publish('42', 'started')
  const socket = openSocket(`${base}/42/events`)
  await vi.waitFor(() => expect(socket.raw).toHaveLength(2))
  expect(socket.ws.protocol).toBe('jobtail.v1')
  expect(socket.ws.extensions).toBe('')
  expect(socket.raw).toEqual([
    { control: 'hello', protocol: 1, heartbeatMs: 12_000, mux: 5 },
    [{ control: 'subscribed', job: '42', epoch: expect.any(String), seq: 0, cursor: expect.stringMatching(/-0$/), status: 'running' }, queued, started]
  ])
  const end = await jobs.publish('42', 'succeeded', 'ü')
  await vi.waitFor(() => expect(socket.frames().slice(-2)).toEqual([end, { control: 'done', job: '42', cursor: end.id }]))
})

test('the URL of several jobs subscribes to each, and the empty one to none', async () => {
  const { jobs, base } = await serve()
  const a = await jobs.publish('a', 'queued')
  await jobs.publish('b', 'queued')
  const socket = openSocket(`${base}/events?job=a&after=${a.id}&job=b&after=`)
  await vi.waitFor(() => expect(socket.events()).toMatchObject([{ job: 'b' }]))
  expect(socket.controls('subscribed')).toMatchObject([
    { job: 'a', seq: 1 },
    { job: 'b', seq: 0 }
  ])
  const empty = openSocket(`${base}/events`)
  await vi.waitFor(() => expect(empty.raw).toHaveLength(1))
  empty.send({ op: 'subscribe', job: 'a', after: '', ref: 7 })
  await vi.waitFor(() => expect(empty.events()).toMatchObject([{ job: 'a', seq: 1 }]))
  expect(empty.controls('subscribed')).toMatchObject([{ job: 'a', ref: 7, seq: 0 }])
})

test('subscribe replaces, unsubscribe ends, ping is answered', async () => {
  const gate = createGate()
  const { jobs, base } = await serve({ log: gate.log })
  const first = await jobs.publish('a', 'queued')
  const socket = openSocket(`${base}/a/events`)
  await vi.waitFor(() => expect(socket.events()).toHaveLength(1))
  socket.send({ op: 'subscribe', job: 'a', after: first.id, ref: 0 })
  await vi.waitFor(() => expect(socket.controls('subscribed')).toMatchObject([{}, { ref: 0, seq: 1, cursor: first.id }]))
  await jobs.publish('a', 'started')
  await vi.waitFor(() => expect(socket.events()).toMatchObject([{ seq: 1 }, { seq: 2 }]))
  expect(gate.watching()).toBe(1)
  socket.send({ op: 'unsubscribe', job: 'a' })
  socket.send({ op: 'ping' })
  await vi.waitFor(() => expect(socket.controls('pong')).toEqual([{ control: 'pong' }]))
  expect(gate.watching()).toBe(0)
  await jobs.publish('a', 'progress', {})
  socket.send({ op: 'subscribe', job: 'a', after: 'tail', ref: 1 })
  await vi.waitFor(() => expect(socket.controls('subscribed')).toHaveLength(3))
  expect(socket.events()).toHaveLength(2)
  expect(socket.controls('subscribed')[2]).toMatchObject({ ref: 1, seq: 3 })
})

test('a heartbeat every heartbeatMs', async () => {
  const { base } = await serve({ heartbeatMs: 20 })
  const socket = openSocket(`${base}/events`)
  await vi.waitFor(() => expect(socket.controls('heartbeat').length).toBeGreaterThan(2))
})

test('a refused handshake is accepted, then gets hello, an error, and the code 4000 + status', async () => {
  const { base } = await serve({ maxJobsPerConnection: 1 })
  for (const [path, status, job] of [
    ['/none/events', 404, 'none'],
    ['/events?job=a&job=b', 400, undefined],
    ['/a/events?after=%20x', 400, undefined],
    ['/events/events', 400, undefined]
  ] as const) {
    const socket = openSocket(base + path)
    expect(await socket.closed).toBe(4000 + status)
    expect(socket.controls()).toEqual([
      expect.objectContaining({ control: 'hello' }),
      { control: 'error', ...(job && { job }), status, code: status === 404 ? 'unknown-job' : 'bad-request', message: expect.any(String) }
    ])
  }
})

test('a refused job beside one that has ended: the socket closes with the code of the refusal', async () => {
  const { jobs, base } = await serve()
  await jobs.publish('over', 'succeeded')
  for (const list of ['job=none&job=over', 'job=over&job=none']) {
    const socket = openSocket(`${base}/events?${list}`)
    expect(await socket.closed).toBe(4404)
    expect(socket.controls('done')).toMatchObject([{ job: 'over' }])
  }
})

test('an error beside a job that is read does not close the socket', async () => {
  const { jobs, base } = await serve()
  await jobs.publish('a', 'queued')
  const socket = openSocket(`${base}/events?job=none&job=a`)
  await vi.waitFor(() => expect(socket.controls('error')).toMatchObject([{ job: 'none', status: 404 }]))
  await jobs.publish('a', 'succeeded')
  await vi.waitFor(() => expect(socket.controls('done')).toHaveLength(1))
  socket.send({ op: 'subscribe', job: 'nor this' })
  expect(await socket.closed).toBe(4404)
  expect(socket.controls('error')).toHaveLength(2)
})

test('a subscribe beyond maxJobsPerConnection is a 429 of that job, unless it replaces one', async () => {
  const { jobs, base } = await serve({ maxJobsPerConnection: 2 })
  for (const job of ['a', 'b', 'c']) await jobs.publish(job, 'queued')
  const socket = openSocket(`${base}/events?job=a&job=b`)
  await vi.waitFor(() => expect(socket.events()).toHaveLength(2))
  socket.send({ op: 'subscribe', job: 'a', ref: 1 })
  socket.send({ op: 'subscribe', job: 'c', ref: 2 })
  await vi.waitFor(() => expect(socket.controls('error')).toMatchObject([{ job: 'c', status: 429, code: 'busy', retryAfterMs: 1000 }]))
  await vi.waitFor(() => expect(socket.controls('subscribed')).toHaveLength(3))
  socket.send({ op: 'unsubscribe', job: 'b' })
  socket.send({ op: 'subscribe', job: 'c', ref: 3 })
  await vi.waitFor(() => expect(socket.controls('subscribed').at(-1)).toMatchObject({ job: 'c', ref: 3 }))
})

test('without a subscription it stays open for 10 s, then closes with 1000', async () => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] })
  const { jobs, base } = await serve()
  await jobs.publish('a', 'succeeded')
  const socket = openSocket(`${base}/a/events`)
  await vi.waitFor(() => expect(socket.controls('done')).toHaveLength(1))
  await vi.advanceTimersByTimeAsync(9000)
  socket.send({ op: 'subscribe', job: 'a', after: 'tail' })
  await vi.waitFor(() => expect(socket.controls('done')).toHaveLength(2))
  await vi.advanceTimersByTimeAsync(9000)
  expect(socket.ws.readyState).toBe(socket.ws.OPEN)
  await vi.advanceTimersByTimeAsync(2000)
  expect(await socket.closed).toBe(1000)
})

test.each([
  ['not json'],
  ['null'],
  ['7'],
  ['"subscribe"'],
  ['{}'],
  ['{"op":7}'],
  ['{"op":"subscribe"}'],
  ['{"op":"subscribe","job":".."}'],
  ['{"op":"unsubscribe","job":""}'],
  [`{"op":"subscribe","job":"${'x'.repeat(257)}"}`],
  ['{"op":"subscribe","job":"a","after":7}'],
  ['{"op":"subscribe","job":"a","ref":-1}'],
  ['{"op":"subscribe","job":"a","ref":"1"}'],
  ['{"__proto__":{"op":"ping"}}'],
  ['[{"op":"ping"},5]']
])('a malformed operation is 400: %s', async (message) => {
  const { jobs, base } = await serve()
  await jobs.publish('a', 'queued')
  const socket = openSocket(`${base}/a/events`)
  await vi.waitFor(() => expect(socket.events()).toHaveLength(1))
  socket.send(message)
  expect(await socket.closed).toBe(4400)
  expect(socket.controls('error')).toEqual([{ control: 'error', status: 400, code: 'bad-request', message: expect.any(String) }])
})

test('a binary message is 400; one above 16 KiB closes with 1009', async () => {
  const { base } = await serve()
  const binary = openSocket(`${base}/events`)
  await once(binary.ws, 'open')
  binary.ws.send(Buffer.from('{"op":"ping"}'))
  expect(await binary.closed).toBe(4400)
  const large = openSocket(`${base}/events`)
  await once(large.ws, 'open')
  large.send('x'.repeat(20_000))
  expect(await large.closed).toBe(1009)
})

test('unknown operations and fields are ignored; an invalid cursor is an error of its job', async () => {
  const { jobs, base } = await serve()
  await jobs.publish('a', 'queued')
  const socket = openSocket(`${base}/a/events`)
  await vi.waitFor(() => expect(socket.events()).toHaveLength(1))
  socket.send({ op: 'dance', job: 7 })
  socket.send([
    { op: 'ping', extra: {} },
    { op: 'subscribe', job: 'b', after: 'a b' }
  ])
  await vi.waitFor(() => expect(socket.controls('error')).toMatchObject([{ job: 'b', status: 400, code: 'bad-request' }]))
  expect(socket.controls('pong')).toHaveLength(1)
  expect(socket.ws.readyState).toBe(socket.ws.OPEN)
})

test.each([
  ['without jobtail.v1', '/jobs/a/events', 'Sec-WebSocket-Protocol: other', 400],
  ['to another resource', '/jobs/a', 'Sec-WebSocket-Protocol: jobtail.v1', 404],
  ['outside basePath', '/jobsx/a/events', 'Sec-WebSocket-Protocol: jobtail.v1', 404],
  ['of a foreign origin', '/jobs/a/events', 'Sec-WebSocket-Protocol: jobtail.v1\r\nOrigin: https://evil.example', 403]
])('a handshake %s is refused with an HTTP status', async (_, path, header, status) => {
  const { port } = await serve()
  const socket = connect(port, '127.0.0.1')
  socket.write(
    `GET ${path} HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n${header}\r\n\r\n`
  )
  let answer = ''
  socket.on('data', (data) => (answer += data))
  await once(socket, 'close')
  expect(answer).toMatch(new RegExp(`^HTTP/1.1 ${status} `))
  expect(answer).toContain('application/problem+json')
})

test('hello does not wait for authorize, and no job waits for another', async () => {
  const pending = Promise.withResolvers<boolean>()
  const { jobs, base } = await serve({ authorize: ({ jobId }) => (jobId === 'slow' ? pending.promise : true) })
  await jobs.publish('slow', 'queued')
  await jobs.publish('a', 'queued')
  const socket = openSocket(`${base}/events?job=slow&job=a`)
  await vi.waitFor(() => expect(socket.events()).toMatchObject([{ job: 'a' }]))
  pending.resolve(true)
  await vi.waitFor(() => expect(socket.events()).toMatchObject([{ job: 'a' }, { job: 'slow' }]))
})

test('a refusal comes before the subscription after it, even if another job is being read meanwhile', async () => {
  const gate = createGate()
  let asked = 0
  const { jobs, base } = await serve({ log: gate.log, authorize: ({ jobId }) => jobId !== 'b' || ++asked > 1 })
  for (const job of ['a', 'b']) await jobs.publish(job, 'queued')
  const { promise: held, resolve: release } = Promise.withResolvers<void>()
  gate.onRead(() => held)
  const socket = openSocket(`${base}/a/events`)
  await gate.watched('a')
  socket.send([
    { op: 'subscribe', job: 'b', ref: 1 },
    { op: 'subscribe', job: 'b', ref: 2 }
  ])
  await vi.waitFor(() => expect(asked).toBe(2))
  release()
  await vi.waitFor(() => expect(socket.events()).toHaveLength(2))
  expect(socket.controls().filter(({ job }) => job === 'b')).toMatchObject([
    { control: 'error', status: 401 },
    { control: 'subscribed', ref: 2 }
  ])
})
