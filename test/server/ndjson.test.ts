/** NDJSON: the events so far, one frame a line (PROTOCOL.md §3). */

import { connect } from 'node:net'
import { expect, onTestFinished, test, vi } from 'vitest'
import type { Fields } from './clients.ts'
import { createGate } from './gate.ts'
import { type Served, serve } from './serve.ts'

const ACCEPT = { accept: 'application/x-ndjson, application/json;q=0.5' }

async function lines({ get }: Pick<Served, 'get'>, path: string, headers: Record<string, string> = {}): Promise<Fields[]> {
  const response = await get(path, { ...ACCEPT, ...headers })
  expect(response.status).toBe(200)
  const text = await response.text()
  expect(text.endsWith('\n')).toBe(true)
  return text
    .slice(0, -1)
    .split('\n')
    .map((line) => JSON.parse(line))
}

test('hello, subscribed, the events, done, end', async () => {
  const { jobs, get } = await serve({ heartbeatMs: 9000, maxJobsPerConnection: 7 })
  const queued = await jobs.publish('42', 'queued', 'line\nline\r\nü\u2028')
  const end = await jobs.publish('42', 'succeeded', 7)
  expect(await lines({ get }, '/42/events')).toEqual([
    { control: 'hello', protocol: 1, heartbeatMs: 9000, mux: 7 },
    { control: 'subscribed', job: '42', epoch: expect.any(String), seq: 0, cursor: expect.stringMatching(/-0$/), status: 'succeeded' },
    queued,
    end,
    { control: 'done', job: '42', cursor: end.id },
    { control: 'end', more: false }
  ])
})

test('does not wait for new events: a running job has no done, a reading from the end no events', async () => {
  const served = await serve()
  const { id } = await served.jobs.publish('42', 'started')
  expect((await lines(served, '/42/events?wait=55')).map(({ control }) => control)).toEqual(['hello', 'subscribed', undefined, 'end'])
  expect((await lines(served, '/42/events?after=tail', { prefer: 'wait=55' })).slice(1)).toMatchObject([
    { seq: 1, cursor: id },
    { control: 'end', more: false }
  ])
  const last = await served.jobs.publish('42', 'succeeded')
  expect((await lines(served, '/42/events', { 'last-event-id': last.id })).slice(2)).toEqual([
    { control: 'done', job: '42', cursor: last.id },
    { control: 'end', more: false }
  ])
})

test('has the headers of a JSON answer', async () => {
  const { jobs, get } = await serve({ origins: ['https://app.example'] })
  await jobs.publish('42', 'queued')
  const response = await get('/42/events', { ...ACCEPT, origin: 'https://app.example' })
  expect(Object.fromEntries(response.headers)).toMatchObject({
    'content-type': 'application/x-ndjson',
    'cache-control': 'private, no-store',
    vary: 'Accept, Origin, Authorization, Cookie, Last-Event-ID, Prefer',
    'x-accel-buffering': 'no',
    incremental: '?1',
    'x-content-type-options': 'nosniff',
    'access-control-allow-origin': 'https://app.example'
  })
  expect((await get('/42/events', { accept: 'text/event-stream, application/x-ndjson' })).headers.get('content-type')).toMatch(/event-stream/)
})

test('ends at the window, and its end frame says that there is more', async () => {
  const served = await serve()
  for (let seq = 1; seq <= 1500; seq += 1) await served.jobs.publish('42', 'output', 'é')
  await served.jobs.publish('42', 'succeeded')
  const seqs = []
  const sizes = []
  for (let after = '', more: unknown = true; more; ) {
    const came = await lines(served, `/42/events?window=50000&after=${after}`)
    const events = came.filter(({ control }) => control === undefined)
    seqs.push(...events.map(({ seq }) => seq))
    sizes.push(events.reduce((sum, event) => sum + Buffer.byteLength(JSON.stringify(event)), 0))
    after = String(events.at(-1)?.id)
    more = came.at(-1)?.more
  }
  expect(seqs).toEqual(Array.from({ length: 1501 }, (_, n) => n + 1))
  expect(sizes.length).toBeGreaterThan(2)
  for (const size of sizes.slice(0, -1)) {
    expect(size).toBeGreaterThanOrEqual(50_000)
    expect(size).toBeLessThan(50_200)
  }
})

test('several jobs, each with its cursor; one that cannot be read has its own error', async () => {
  const served = await serve({ authorize: ({ jobId }) => jobId !== 'secret' })
  const { id } = await served.jobs.publish('a', 'queued')
  await served.jobs.publish('a', 'started')
  await served.jobs.publish('b', 'succeeded')
  const came = await lines(served, `/events?job=a&after=${id}&job=none&after=&job=secret&after=&job=b&after=`, { authorization: 'Bearer x' })
  expect(came.filter(({ job }) => job === 'a')).toMatchObject([{ control: 'subscribed', cursor: id }, { type: 'started' }])
  expect(came.filter(({ job }) => job === 'b')).toMatchObject([{ control: 'subscribed' }, { type: 'succeeded' }, { control: 'done' }])
  expect(came.filter(({ control }) => control === 'error')).toMatchObject([
    { job: 'secret', status: 403 },
    { job: 'none', status: 404, code: 'unknown-job' }
  ])
  expect(came.at(-1)).toEqual({ control: 'end', more: false })
})

test('an error of a single job is a status with a problem, and 503 is for all', async () => {
  const gate = createGate()
  const { jobs, get } = await serve({ log: gate.log, authorize: ({ jobId }) => jobId !== 'secret' })
  await jobs.publish('a', 'queued')
  const status = async (path: string) => {
    const response = await get(path, { ...ACCEPT })
    return [response.status, response.headers.get('content-type'), (await response.json()).code]
  }
  const problem = 'application/problem+json'
  expect(await status('/none/events')).toEqual([404, problem, 'unknown-job'])
  expect(await status('/events?job=none')).toEqual([404, problem, 'unknown-job'])
  expect(await status('/secret/events')).toEqual([401, problem, 'unauthorized'])
  expect(await status('/a/events?after=%00')).toEqual([400, problem, 'bad-request'])
  gate.outage()
  expect(await status('/events?job=a&job=b')).toEqual([503, problem, 'busy'])
  await vi.waitFor(() => expect(jobs.metrics().connections['short-poll']).toBe(0))
})

test('a log that becomes unavailable half way: the events so far, and more', async () => {
  const gate = createGate()
  const served = await serve({ log: gate.log })
  for (let seq = 1; seq <= 3000; seq += 1) await served.jobs.publish('42', 'output')
  let reads = 0
  gate.onRead(() => {
    reads += 1
    if (reads === 3) gate.outage()
  })
  const came = await lines(served, '/42/events')
  const seqs = came.filter(({ control }) => control === undefined).map(({ seq }) => seq)
  expect(seqs.length).toBeGreaterThan(0)
  expect(seqs.length).toBeLessThan(3000)
  expect(seqs).toEqual(seqs.map((_, n) => n + 1))
  expect(came.at(-1)).toEqual({ control: 'end', more: true })
})

test('a server that closes half way: the end frame says more, without a bye', async () => {
  const gate = createGate()
  const served = await serve({ log: gate.log })
  for (let seq = 1; seq <= 3000; seq += 1) await served.jobs.publish('42', 'output')
  let reads = 0
  let closed: Promise<void> | undefined
  gate.onRead(() => {
    reads += 1
    if (reads === 3) closed = served.jobs.close({ graceMs: 5000 })
  })
  const came = await lines(served, '/42/events')
  expect(came.slice(2, -1).every(({ control }) => control === undefined)).toBe(true)
  expect(came.at(-1)).toEqual({ control: 'end', more: true })
  await closed
})

test('is written as it is read: without a reader the log is read no further', async () => {
  const gate = createGate()
  const { jobs, port } = await serve({ log: gate.log, maxBufferedBytes: 10_000 })
  for (let seq = 1; seq <= 1000; seq += 1) await jobs.publish('42', 'output', 'x'.repeat(50_000))
  const socket = connect(port, '127.0.0.1')
  onTestFinished(() => void socket.destroy())
  socket.on('error', () => {})
  socket.write('GET /jobs/42/events HTTP/1.1\r\nHost: x\r\nAccept: application/x-ndjson\r\n\r\n')
  let received = 0
  socket.once('data', () => socket.pause())
  socket.on('data', (data) => {
    received += data.length
  })
  await vi.waitFor(() => expect(gate.eventsRead()).toBeGreaterThan(0))
  let before = -1
  await vi.waitFor(
    () => {
      const was = before
      before = gate.eventsRead()
      expect(before).toBe(was)
    },
    { interval: 200, timeout: 10_000 }
  )
  expect(before).toBeLessThan(700)
  expect(jobs.metrics().connections['short-poll']).toBe(1)
  socket.resume()
  await vi.waitFor(() => expect(received).toBeGreaterThan(50_000_000), { timeout: 15_000 })
  await vi.waitFor(() => expect(jobs.metrics().connections['short-poll']).toBe(0))
}, 30_000)

test('is the same with fetch', async () => {
  const { jobs } = await serve()
  for (let seq = 1; seq <= 1000; seq += 1) await jobs.publish('42', 'output')
  const response = await jobs.fetch(new Request('http://x/jobs/42/events', { headers: ACCEPT }))
  const came = (await response.text()).trim().split('\n')
  expect(came).toHaveLength(1003)
  expect(JSON.parse(came.at(-1) ?? '')).toEqual({ control: 'end', more: false })
})
