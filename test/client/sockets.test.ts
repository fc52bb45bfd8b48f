/** The client over real sockets: each transport against a server that cuts connections, the server kit, and what is left open afterwards. */

import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { createClient, longPoll, shortPoll, sse, webSocket } from '../../src/index.ts'
import type { Client, ClientOptions, JobEvent, Transport } from '../../src/types.ts'
import { serve } from '../server/serve.ts'
import { type ScriptedServer, startScriptedServer } from '../transports/scripted-server.ts'

const upTo = (last: number): number[] => Array.from({ length: last }, (_, index) => index + 1)
const makers: [name: string, make: () => Transport][] = [
  ['websocket', webSocket],
  ['sse', sse],
  ['long-poll', longPoll],
  ['short-poll', shortPoll]
]

/** A long timeout, since the machine may be busy. */
vi.setConfig({ testTimeout: 30_000 })
const eventually = (check: () => void): Promise<void> => vi.waitFor(check, { timeout: 10_000 })

let server: ScriptedServer
let clients: Client[]

beforeEach(async () => {
  vi.spyOn(console, 'warn').mockImplementation(() => {})
  server = await startScriptedServer({ pageSize: 7 })
  clients = []
})
afterEach(async () => {
  for (const client of clients) client.close()
  await eventually(() => expect(server.open).toBe(0))
  await server.kill()
  vi.restoreAllMocks()
})

function clientOf(options: ClientOptions): Client {
  const client = createClient({ url: server.base, memory: false, retry: { baseMs: 1 }, ...options })
  clients.push(client)
  return client
}

const seqs = (events: readonly JobEvent[]): number[] => events.map(({ seq }) => seq)

describe.each(makers)('over %s', (name, make) => {
  test('a connection cut every few events delivers each event once, in order, to the end', async () => {
    const job = clientOf({ transports: [make()], firstLook: false }).subscribe('42')
    const events: JobEvent[] = []
    server.append('42')
    for await (const event of job) {
      events.push(event)
      if (event.seq % 5 === 0) server.cut()
      if (event.seq < 40) server.append('42', 'progress', { current: event.seq + 1 })
      else if (event.type === 'progress') server.append('42', 'succeeded', 'done')
    }
    expect(seqs(events)).toEqual(upTo(41))
    expect(await job.result).toBe('done')
    const cursors = server.received.map(({ url, headers }) => headers['last-event-id'] ?? url.searchParams.get('after'))
    expect(cursors).toContain('e-20')
    if (name !== 'websocket') expect(server.received.some(({ headers }) => headers['last-event-id'] === 'e-20')).toBe(true)
  })

  test('leaving in the middle of a stream leaves nothing open', async () => {
    const job = clientOf({ transports: [make()] }).subscribe('42')
    server.append('42')
    const iterator = job[Symbol.asyncIterator]()
    await iterator.next()
    const pending = iterator.next()
    await eventually(() => expect(job.state.connection).toMatchObject({ phase: 'live', transport: name }))
    job.close()
    expect(await pending).toEqual({ done: true, value: undefined })
    await eventually(() => expect(server.open).toBe(0))
  })

  test('a slow reader gets every event, and the server is not read meanwhile', async () => {
    const paused = vi.fn()
    const client = clientOf({ transports: [make()], firstLook: false, bufferSize: 20, onDiagnostic: ({ type }) => type === 'paused' && paused() })
    for (let seq = 1; seq <= 100; seq += 1) server.append('42')
    const iterator = client.subscribe('42')[Symbol.asyncIterator]()
    const had = [await iterator.next()]
    await eventually(() => expect(paused).toHaveBeenCalled())
    await eventually(() => expect(server.open).toBe(0))
    for (let seq = 2; seq <= 100; seq += 1) had.push(await iterator.next())
    expect(had.map(({ value }) => value?.seq)).toEqual(upTo(100))
    await iterator.return?.()
  })

  test.each([
    [401, 'unauthorized', 'unauthorized'],
    [403, 'forbidden', 'forbidden'],
    [410, 'history-gone', 'history-gone']
  ])("the server's %i is thrown", async (status, code, expected) => {
    server.fault = { do: 'problem', status, code }
    const iterator = clientOf({ transports: [make()], firstLook: false })
      .subscribe('42')
      [Symbol.asyncIterator]()
    await expect(iterator.next()).rejects.toMatchObject({ name: 'JobtailError', code: expected, status })
  })

  test('text that is no frame fails as `protocol`, and reading succeeds once the server is repaired', async () => {
    server.append('42')
    server.fault = { do: 'text', text: '{"control":"hello","protocol":"one"' }
    const failures: string[] = []
    const client = clientOf({
      transports: [make()],
      firstLook: false,
      onDiagnostic(diagnostic) {
        if (diagnostic.type !== 'probe-failed' && diagnostic.type !== 'lost') return
        failures.push(diagnostic.reason)
        server.fault = undefined
      }
    })
    const iterator = client.subscribe('42')[Symbol.asyncIterator]()
    expect((await iterator.next()).value?.seq).toBe(1)
    expect(failures[0]).toBe('protocol')
  })
})

test.each(makers.slice(0, 2))('%s: a body that the server ends cleanly does not end the job', async (_, make) => {
  const job = clientOf({ transports: [make()], firstLook: false }).subscribe('42')
  const events: JobEvent[] = []
  server.append('42')
  for await (const event of job) {
    events.push(event)
    if (event.seq === 3) {
      server.finish()
      await eventually(() => expect(server.received).toHaveLength(2))
    }
    server.append('42', event.seq < 6 ? 'progress' : 'failed')
  }
  expect(seqs(events)).toEqual(upTo(7))
})

test('when nothing answers, all four transports are tried, and leaving closes them all', async () => {
  server.fault = { do: 'hang' }
  const job = clientOf({ staggerMs: 20, firstLook: false }).subscribe('42')
  const pending = job[Symbol.asyncIterator]().next()
  await eventually(() => expect(server.received.map(({ kind }) => kind)).toEqual(['websocket', 'sse', 'json', 'json']))
  expect(server.open).toBe(4)
  job.close()
  await pending
  await eventually(() => expect(server.open).toBe(0))
})

test('a finished job takes one JSON request and leaves no socket', async () => {
  for (let seq = 1; seq <= 20; seq += 1) server.append('42')
  server.append('42', 'succeeded', 7)
  const events: JobEvent[] = []
  const job = clientOf({ transports: [sse()], staggerMs: 10_000 }).subscribe('42')
  for await (const event of job) events.push(event)
  expect(seqs(events)).toEqual(upTo(21))
  await eventually(() => expect(server.open).toBe(0))
})

describe('with the server kit', () => {
  test('start, subscribe, result', async () => {
    const { base } = await serve({
      async start(job, input) {
        for (let current = 1; current <= 30; current += 1) await job.progress({ current, total: 30 })
        await job.log('nearly there')
        return { got: input }
      }
    })
    const client = clientOf({ url: base })
    const job = await client.start({ video: 7 })
    const events: JobEvent[] = []
    for await (const event of job) events.push(event)
    expect(events.map(({ type }) => type)).toEqual(['queued', 'started', ...Array(30).fill('progress'), 'log', 'succeeded'])
    expect(seqs(events)).toEqual(upTo(34))
    expect(await job.result).toEqual({ got: { video: 7 } })
    expect(job.state).toMatchObject({ status: 'succeeded', progress: { current: 30, total: 30 } })
    // Once more from the last event: the snapshot alone tells the result.
    expect(await client.subscribe(job.jobId).result).toEqual({ got: { video: 7 } })
    const late = client.subscribe(job.jobId, { after: job.state.lastEventId })
    for await (const event of late) expect(event).toBeUndefined()
    expect(late.state).toMatchObject({ status: 'succeeded', result: { got: { video: 7 } } })
  })

  test.each([Number.MAX_SAFE_INTEGER, 1e300])('a buffer of %d bytes asks for no window: no number overflows', async (bufferBytes) => {
    const { base, jobs } = await serve()
    await jobs.publish('42', 'progress', 1)
    const events: JobEvent[] = []
    const sent: unknown[] = []
    class Recording extends WebSocket {
      override send(data: string): void {
        sent.push(data)
        super.send(data)
      }
    }
    const client = clientOf({ url: base, bufferBytes, transports: [webSocket()], firstLook: false, WebSocket: Recording })
    for await (const event of client.subscribe('42')) {
      events.push(event)
      if (event.seq < 3) await jobs.publish('42', event.seq < 2 ? 'log' : 'succeeded', 1)
    }
    expect(seqs(events)).toEqual([1, 2, 3])
    expect(sent).toEqual([])
  })

  test.each(['größe ☃', 'a\nb', ''])('a key that no header can carry is refused, and not tried again and again: %j', async (idempotencyKey) => {
    const { base } = await serve({ start: () => 1 })
    await expect(clientOf({ url: base }).start({}, { idempotencyKey })).rejects.toMatchObject({
      code: 'bad-request',
      message: expect.stringContaining('idempotencyKey: expected')
    })
  })

  test('two starts with one key make one job', async () => {
    const started = vi.fn()
    const { base } = await serve({ start: () => started() })
    const client = clientOf({ url: base })
    const [first, second] = await Promise.all([client.start(1, { idempotencyKey: 'k' }), client.start(1, { idempotencyKey: 'k' })])
    expect(first.jobId).toBe(second.jobId)
    await first.result
    expect(started).toHaveBeenCalledTimes(1)
    await expect(client.start(2, { idempotencyKey: 'k' })).rejects.toMatchObject({ code: 'bad-request', status: 422 })
  })

  test('a cancel stops the work, and every follower sees it', async () => {
    const { base } = await serve({
      start: ({ signal }) => new Promise((_, reject) => signal.addEventListener('abort', () => reject(signal.reason), { once: true }))
    })
    const client = clientOf({ url: base })
    const job = await client.start(1)
    const types: string[] = []
    for await (const { type } of job) {
      types.push(type)
      if (type === 'started') await job.cancel()
    }
    expect(types).toEqual(['queued', 'started', 'cancelling', 'cancelled'])
    await expect(job.result).rejects.toMatchObject({ name: 'JobFailedError', code: 'cancelled' })
  })

  test.each(makers)('%s as the only transport follows many jobs at once', async (_, make) => {
    const { base, jobs, openConnections } = await serve({ shortPollPauseMs: 20 })
    const ids = Array.from({ length: 12 }, (_, index) => `job ${index}/ä`)
    for (const id of ids) await jobs.publish(id, 'queued')
    const client = clientOf({ url: base, transports: [make()] })
    const loops = ids.map(async (id) => {
      const had: number[] = []
      for await (const { seq } of client.subscribe(id)) {
        had.push(seq)
        if (seq === 1) for (let next = 2; next <= 10; next += 1) await jobs.publish(id, next < 10 ? 'progress' : 'succeeded', {})
      }
      return had
    })
    for (const had of await Promise.all(loops)) expect(had).toEqual(upTo(10))
    expect(await openConnections()).toBeLessThanOrEqual(15)
  })

  test('an expired token is replaced by one more call of the token source', async () => {
    const { base, jobs } = await serve({
      authorize({ request }) {
        const token = request.headers.get('authorization')
        return token === 'Bearer new' || { status: 401 }
      }
    })
    await jobs.publish('42', 'succeeded', 7)
    const tokens = ['old', 'new']
    const asked = vi.fn(() => tokens.shift())
    const events: JobEvent[] = []
    for await (const event of clientOf({ url: base, token: asked }).subscribe('42')) events.push(event)
    expect(seqs(events)).toEqual([1])
    expect(asked).toHaveBeenCalledTimes(2)
    const refused = clientOf({ url: base, token: () => 'old' }).subscribe('42')
    await expect(refused[Symbol.asyncIterator]().next()).rejects.toMatchObject({ code: 'unauthorized' })
    await expect(clientOf({ url: base }).subscribe('42').result).rejects.toMatchObject({ code: 'unauthorized' })
  })
})
