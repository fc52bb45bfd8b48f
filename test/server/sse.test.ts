import { ServerResponse } from 'node:http'
import { expect, test, vi } from 'vitest'
import { memoryLog } from '../../src/server/log/memory.ts'
import { openStream } from './clients.ts'
import { createGate } from './gate.ts'
import { serve } from './serve.ts'

test('hello, subscribed, the events so far, new events, done, end', async () => {
  const { jobs, base } = await serve({ heartbeatMs: 12_000, maxJobsPerConnection: 5 })
  const queued = await jobs.publish('42', 'queued')
  const stream = await openStream(`${base}/42/events`)
  expect(stream.response.status).toBe(200)
  expect(Object.fromEntries(stream.response.headers)).toMatchObject({
    'content-type': 'text/event-stream; charset=utf-8',
    'cache-control': 'private, no-store, no-transform',
    'x-accel-buffering': 'no',
    incremental: '?1',
    'x-content-type-options': 'nosniff',
    vary: 'Accept, Origin, Authorization, Cookie, Last-Event-ID, Prefer'
  })
  await vi.waitFor(() => expect(stream.events()).toEqual([queued]))
  const started = await jobs.publish('42', 'started')
  await vi.waitFor(() => expect(stream.events()).toEqual([queued, started]))
  const end = await jobs.publish('42', 'succeeded', { text: 'line\nline\r\nü\u2028' })
  await stream.ended
  expect(stream.events()).toEqual([queued, started, end])
  expect(stream.controls()).toEqual([
    { control: 'hello', protocol: 1, heartbeatMs: 12_000, mux: 5 },
    { control: 'subscribed', job: '42', epoch: expect.any(String), seq: 0, cursor: expect.stringMatching(/-0$/), status: 'queued' },
    { control: 'done', job: '42', cursor: end.id }
  ])
})

test('events have an id and no event name, controls have an event name and no id', async () => {
  const { jobs, base } = await serve()
  const { id } = await jobs.publish('42', 'succeeded', 1)
  const stream = await openStream(`${base}/42/events`)
  await stream.ended
  for (const message of stream.messages()) {
    if (message.data.control === undefined) expect(message).toMatchObject({ id, data: { id } })
    else expect(message).toEqual({ event: 'control', data: expect.anything() })
  }
  expect(stream.text().startsWith('event: control\ndata: {"control":"hello"')).toBe(true)
})

test('the cursor in the header counts before the one in the URL', async () => {
  const { jobs, base } = await serve()
  const a = await jobs.publish('42', 'queued')
  const b = await jobs.publish('42', 'started')
  await jobs.publish('42', 'succeeded')
  const stream = await openStream(`${base}/42/events?after=${a.id}`, { 'last-event-id': b.id })
  await stream.ended
  expect(stream.events()).toMatchObject([{ seq: 3 }])
  expect(stream.controls()[1]).toMatchObject({ seq: 2, cursor: b.id, status: 'succeeded' })
})

test('after=tail delivers only new events', async () => {
  const { jobs, base } = await serve()
  const { id } = await jobs.publish('42', 'queued')
  const stream = await openStream(`${base}/42/events?after=tail`)
  await vi.waitFor(() => expect(stream.controls()).toMatchObject([{}, { control: 'subscribed', seq: 1, cursor: id }]))
  await jobs.publish('42', 'succeeded')
  await stream.ended
  expect(stream.events()).toMatchObject([{ seq: 2 }])
})

test('a single job with a cursor at its end is a 204; with a cursor of another log it delivers the events', async () => {
  const { jobs, base } = await serve()
  const { id } = await jobs.publish('42', 'succeeded')
  for (const [path, headers] of [
    [`/42/events?after=${id}`, {}],
    ['/42/events', { 'last-event-id': id }],
    ['/42/events?after=tail', {}],
    // A list of one job counts as a single job, since clients request ids with a slash that way.
    [`/events?job=42&after=${id}`, {}],
    ['/events?job=42&after=other-1', { 'last-event-id': id }],
    ['/events?job=42&after=tail', {}]
  ] as const) {
    const { response } = await openStream(`${base}${path}`, headers)
    expect(response.status).toBe(204)
    expect(response.headers.get('cache-control')).toBe('private, no-store')
  }
  const foreign = await openStream(`${base}/42/events?after=other-1`)
  await foreign.ended
  expect(foreign.events()).toHaveLength(1)
  const { id: other } = await jobs.publish('43', 'succeeded')
  const several = await openStream(`${base}/events?job=42&after=${id}&job=43&after=${other}`)
  await several.ended
  expect(several.response.status).toBe(200)
  expect(several.controls().filter(({ job }) => job === '42')).toMatchObject([
    { control: 'subscribed', seq: 1 },
    { control: 'done', cursor: id }
  ])
})

test('a refused single job is a status; of several jobs it is an error frame, and the others go on', async () => {
  const { jobs, base } = await serve()
  for (const path of ['/none/events', '/events?job=none', '/events?job=no%2Fne&after=x']) {
    const none = await openStream(base + path)
    expect(none.response.status).toBe(404)
    expect(none.response.headers.get('content-type')).toBe('application/problem+json')
  }
  await jobs.publish('a', 'queued')
  const stream = await openStream(`${base}/events?job=none&job=a`)
  await vi.waitFor(() => expect(stream.events()).toHaveLength(1))
  await jobs.publish('a', 'cancelled', {})
  await stream.ended
  expect(stream.controls()).toMatchObject([
    { control: 'hello' },
    { control: 'error', job: 'none', status: 404, code: 'unknown-job', message: 'no such job' },
    { control: 'subscribed', job: 'a' },
    { control: 'done', job: 'a' }
  ])
})

test('the body ends once every job has an error', async () => {
  const { base } = await serve()
  const stream = await openStream(`${base}/events?job=x&job=y`)
  await stream.ended
  expect(stream.controls().map(({ control }) => control)).toEqual(['hello', 'error', 'error'])
})

test('each heartbeat is a comment, and ?pad=1 pads hello and heartbeats by 2 KiB', async () => {
  const { jobs, base } = await serve({ heartbeatMs: 20 })
  await jobs.publish('42', 'queued')
  const plain = await openStream(`${base}/42/events`)
  await vi.waitFor(() => expect(plain.text()).toMatch(/(:\n\n){2}$/))
  const padded = await openStream(`${base}/42/events?pad=1`)
  await vi.waitFor(() => expect(padded.text().match(/^: {2048}$/gm)?.length).toBeGreaterThanOrEqual(3))
  expect(padded.text()).toMatch(/^event: control\ndata: \{"control":"hello"[^\n]*\n\n: {2048}\n\n/)
})

test('an event whose wake-up was lost arrives with the next heartbeat', async () => {
  const gate = createGate()
  const { jobs, base } = await serve({ log: gate.log, heartbeatMs: 50 })
  await jobs.publish('42', 'queued')
  const stream = await openStream(`${base}/42/events`)
  await vi.waitFor(() => expect(stream.events()).toHaveLength(1))
  gate.loseWakeUps()
  await jobs.publish('42', 'succeeded')
  await stream.ended
  expect(stream.events()).toHaveLength(2)
})

test('a log that is replaced under an open reader is subscribed again', async () => {
  const gate = createGate()
  const { jobs, base } = await serve({ log: gate.log, heartbeatMs: 30 })
  await jobs.publish('42', 'queued')
  const stream = await openStream(`${base}/42/events`)
  await vi.waitFor(() => expect(stream.events()).toHaveLength(1))
  const other = memoryLog()
  await other.append('42', 'queued', {})
  gate.replace(other)
  await jobs.publish('42', 'succeeded')
  await stream.ended
  const [, first, second] = stream.controls()
  expect(second).toMatchObject({ control: 'subscribed', seq: 0 })
  expect(second?.epoch).not.toBe(first?.epoch)
  expect(stream.events().map(({ type }) => type)).toEqual(['queued', 'queued', 'succeeded'])
})

test('a job that vanishes under an open reader is an error', async () => {
  const gate = createGate()
  const { jobs, base } = await serve({ log: gate.log, heartbeatMs: 30 })
  await jobs.publish('42', 'queued')
  const stream = await openStream(`${base}/42/events`)
  await vi.waitFor(() => expect(stream.events()).toHaveLength(1))
  gate.failWith(gate.historyGone)
  await stream.ended
  expect(stream.controls().at(-1)).toMatchObject({ control: 'error', job: '42', status: 410, code: 'history-gone' })
})

test('a reader that leaves leaves nothing behind', async () => {
  const gate = createGate()
  const { jobs, base } = await serve({ log: gate.log })
  await jobs.publish('42', 'queued')
  const stream = await openStream(`${base}/42/events`)
  await vi.waitFor(() => expect(stream.events()).toHaveLength(1))
  expect(gate.watching()).toBe(1)
  stream.stop()
  await vi.waitFor(() => expect(gate.watching()).toBe(0))
})

test('many thousand events arrive once and in order', async () => {
  const { jobs, base } = await serve()
  for (let n = 1; n <= 2500; n += 1) await jobs.publish('42', 'progress', { n })
  const stream = await openStream(`${base}/42/events`)
  for (let n = 2501; n < 5000; n += 1) await jobs.publish('42', 'progress', { n })
  await jobs.publish('42', 'succeeded')
  await stream.ended
  expect(stream.events().map(({ seq }) => seq)).toEqual(Array.from({ length: 5000 }, (_, n) => n + 1))
})

test('middleware that compresses gets every piece of the body', async () => {
  const { jobs, base, server } = await serve()
  const written: unknown[] = []
  server.prependListener('request', (_, res) => {
    vi.spyOn(res, 'write').mockImplementation(function (this: typeof res, piece: unknown) {
      written.push(piece)
      return ServerResponse.prototype.write.call(this, piece, 'utf8')
    })
  })
  await jobs.publish('42', 'queued')
  const stream = await openStream(`${base}/42/events`)
  await vi.waitFor(() => expect(stream.events()).toHaveLength(1))
  await jobs.publish('42', 'succeeded')
  await stream.ended
  expect(written.join('')).toBe(stream.text())
})
