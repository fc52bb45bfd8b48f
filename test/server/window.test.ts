/** A reader with a window is sent no more than its window allows (PROTOCOL.md §2). */

import { describe, expect, test, vi } from 'vitest'
import { openSocket, openStream } from './clients.ts'
import { createGate } from './gate.ts'
import { serve } from './serve.ts'

const upTo = (last: number, from = 1) => Array.from({ length: last - from + 1 }, (_, n) => n + from)
const seqsOf = (events: readonly Record<string, unknown>[]) => events.map(({ seq }) => seq)
const bytesOf = (events: readonly Record<string, unknown>[]) => events.reduce((sum, event) => sum + Buffer.byteLength(JSON.stringify(event)), 0)

async function serveLong(count: number, data: unknown = null) {
  const gate = createGate()
  const served = await serve({ log: gate.log })
  for (let seq = 1; seq <= count; seq += 1) await served.jobs.publish('42', 'output', data)
  return { ...served, gate }
}

describe('an event stream', () => {
  test('ends with bye after so many bytes, and the next request gets the rest', async () => {
    const { jobs, base } = await serveLong(1500)
    await jobs.publish('42', 'succeeded')
    const seqs = []
    for (let after = '', last = ''; last !== 'done'; ) {
      const stream = await openStream(`${base}/42/events?window=20000&after=${after}`)
      await stream.ended
      const events = stream.events()
      const end = stream.controls().at(-1)
      last = String(end?.control)
      if (last === 'bye') {
        expect(end).toEqual({ control: 'bye', reason: 'window', retryMs: 0 })
        expect(bytesOf(events)).toBeGreaterThanOrEqual(20_000)
        expect(bytesOf(events.slice(0, -1))).toBeLessThan(20_000)
      }
      seqs.push(...seqsOf(events))
      after = String(events.at(-1)?.id)
    }
    expect(seqs).toEqual(upTo(1501))
    expect(jobs.metrics().byes).toEqual({ window: Math.ceil(seqs.length / 180) - 1 })
  })

  test('counts bytes, not characters', async () => {
    const { base } = await serveLong(3, 'é'.repeat(5000))
    const stream = await openStream(`${base}/42/events?window=10000`)
    await stream.ended
    expect(seqsOf(stream.events())).toEqual([1])
  })

  test('whose last event fills the window ends with done, without a bye', async () => {
    const { jobs, base } = await serveLong(2)
    const end = await jobs.publish('42', 'succeeded')
    const first = await openStream(`${base}/42/events`)
    await first.ended
    const stream = await openStream(`${base}/42/events?window=${bytesOf(first.events())}`)
    await stream.ended
    expect(stream.controls().at(-1)).toEqual({ control: 'done', job: '42', cursor: end.id })
  })

  test('of a running job ends when new events have filled the window', async () => {
    const { jobs, base } = await serveLong(1)
    const stream = await openStream(`${base}/42/events?window=1000`)
    await vi.waitFor(() => expect(stream.events()).toHaveLength(1))
    for (let seq = 2; seq <= 20; seq += 1) await jobs.publish('42', 'output')
    await stream.ended
    expect(stream.controls().at(-1)).toMatchObject({ control: 'bye', reason: 'window' })
    expect(stream.events().length).toBeLessThan(12)
  })
})

describe('a socket', () => {
  test('delivers no more events until the client renews the window, but other frames go on', async () => {
    const { jobs, base, gate } = await serveLong(1500)
    await jobs.publish('43', 'started')
    const socket = openSocket(`${base}/42/events?window=20000`)
    await vi.waitFor(() => expect(bytesOf(socket.events())).toBeGreaterThanOrEqual(20_000))
    const had = socket.events().length
    const read = gate.eventsRead()
    await jobs.publish('42', 'output')
    socket.send([{ op: 'ping' }, { op: 'subscribe', job: '43', ref: 7 }])
    await vi.waitFor(() => expect(socket.controls('pong')).toHaveLength(1))
    await vi.waitFor(() => expect(socket.controls('subscribed').at(-1)).toMatchObject({ job: '43', ref: 7, seq: 0 }))
    expect(socket.events()).toHaveLength(had)
    expect(gate.eventsRead()).toBeLessThan(read + 2) // job 43 is read once for its position
    socket.send({ op: 'window', bytes: 1 })
    await vi.waitFor(() => expect(socket.events()).toHaveLength(had + 1))
    socket.send({ op: 'window', bytes: 20_000_000 })
    await vi.waitFor(() => expect(socket.events()).toHaveLength(1502))
    expect(seqsOf(socket.events().filter(({ job }) => job === '42'))).toEqual(upTo(1501))
  })

  test('has heartbeats while its window is used up', async () => {
    const { jobs, base } = await serve({ heartbeatMs: 50 })
    for (let seq = 1; seq <= 3; seq += 1) await jobs.publish('42', 'output')
    const socket = openSocket(`${base}/42/events?window=1`)
    await vi.waitFor(() => expect(socket.controls('heartbeat').length).toBeGreaterThan(2))
    expect(socket.events()).toHaveLength(1)
  })

  test('has one window for all of its jobs', async () => {
    const { jobs, base } = await serve()
    for (const job of ['a', 'b']) for (let seq = 1; seq <= 200; seq += 1) await jobs.publish(job, 'output')
    const socket = openSocket(`${base}/events?job=a&job=b&window=10000`)
    await vi.waitFor(() => expect(socket.controls('subscribed')).toHaveLength(2))
    await vi.waitFor(() => expect(bytesOf(socket.events())).toBeGreaterThanOrEqual(10_000))
    socket.send({ op: 'ping' })
    await vi.waitFor(() => expect(socket.controls('pong')).toHaveLength(1))
    expect(bytesOf(socket.events())).toBeLessThan(10_500)
  })

  test('delivers everything once, window by window, alone or as one of many followers', async () => {
    const { jobs, base } = await serve()
    await jobs.publish('42', 'queued')
    const sockets = upTo(5).map(() => openSocket(`${base}/42/events?window=2000`))
    for (const socket of sockets) socket.ws.on('message', () => socket.send({ op: 'window', bytes: 2000 }))
    for (let n = 2; n < 500; n += 1) await jobs.publish('42', 'progress', { n })
    await jobs.publish('42', 'succeeded')
    for (const socket of sockets) await vi.waitFor(() => expect(seqsOf(socket.events())).toEqual(upTo(500)), { timeout: 10_000 })
  })

  test.each([{ op: 'window' }, { op: 'window', bytes: 0 }, { op: 'window', bytes: '100' }, { op: 'window', bytes: 1.5 }])(
    'a malformed operation is 400: %j',
    async (operation) => {
      const { jobs, base } = await serve()
      await jobs.publish('a', 'queued')
      const socket = openSocket(`${base}/a/events`)
      await vi.waitFor(() => expect(socket.events()).toHaveLength(1))
      socket.send(operation)
      expect(await socket.closed).toBe(4400)
    }
  )
})

describe('a JSON answer', () => {
  test('has events up to the window, even more than a thousand, and then `more`', async () => {
    const { jobs, read } = await serveLong(2500)
    await jobs.publish('42', 'succeeded')
    const first = await read('/42/events?window=200000')
    const bytes = first.events.reduce((sum, event) => sum + JSON.stringify(event).length, 0)
    expect(first.events.length).toBeGreaterThan(1000)
    expect(bytes).toBeGreaterThanOrEqual(200_000)
    expect(bytes).toBeLessThan(200_200)
    expect(first).toMatchObject({ more: true, jobs: [{ done: false, cursor: first.events.at(-1)?.id }] })
    const rest = await read(`/42/events?window=16777216&after=${first.events.at(-1)?.id}`)
    expect(rest).toMatchObject({ more: false, jobs: [{ done: true }] })
    expect([...first.events, ...rest.events].map(({ seq }) => seq)).toEqual(upTo(2501))
    expect((await read('/42/events?window=1')).events).toHaveLength(1)
  })

  test('has at most 16 MiB, whatever the window', async () => {
    const { read } = await serveLong(20, 'x'.repeat(2 ** 20))
    expect(await read('/42/events?window=1000000000')).toMatchObject({ more: true, events: { length: 16 } })
  })
})

test.each(['', '0', '-1', '1.5', '1e3', 'all', '0x10', '99999999999999999999'])('a malformed window is a bad request: %j', async (window) => {
  const { jobs, get, base } = await serve()
  await jobs.publish('42', 'queued')
  for (const accept of ['application/json', 'application/x-ndjson', 'text/event-stream']) {
    const response = await get(`/42/events?window=${window}`, { accept })
    expect(response.status).toBe(400)
    expect(await response.json()).toMatchObject({ code: 'bad-request', detail: expect.stringMatching(/^window: /) })
  }
  expect(await openSocket(`${base}/42/events?window=${window}`).closed).toBe(4400)
  await vi.waitFor(() => expect(jobs.metrics().connections).toEqual({ websocket: 0, sse: 0, ndjson: 0, connect: 0, 'long-poll': 0, 'short-poll': 0 }))
})
