import { describe, expect, onTestFinished, test, vi } from 'vitest'
import { type EventLog, memoryLog } from '../../src/server/index.ts'
import { openSocket, openStream } from './clients.ts'
import { createGate } from './gate.ts'
import { serve } from './serve.ts'

test("a start that the server's close interrupts does not report the job as started, and a repeat of the start runs it", async () => {
  const log = memoryLog()
  onTestFinished(() => log.close())
  const appending = Promise.withResolvers<void>()
  const held = Promise.withResolvers<void>()
  const slow: EventLog = {
    ...log,
    close: async () => {},
    async append(...entry) {
      const event = await log.append(...entry)
      appending.resolve()
      await held.promise
      return event
    }
  }
  const work = vi.fn(() => 'done')
  const [closing, other] = [await serve({ log: slow, start: work }), await serve({ log: { ...log, close: async () => {} }, start: work })]
  const headers = { 'idempotency-key': 'k' }
  const asked = closing.post('', '1', headers)
  await appending.promise
  const closed = closing.jobs.close()
  held.resolve()
  expect((await asked).status).toBe(503)
  await closed
  expect(work).not.toHaveBeenCalled()
  const again = await other.post('', '1', headers)
  expect(again.status).toBe(202)
  const { id } = await again.json()
  await vi.waitFor(async () => expect(await log.snapshot(id)).toMatchObject({ status: 'succeeded', result: 'done' }))
  expect(work).toHaveBeenCalledTimes(1)
})

describe('close', () => {
  test('says bye to every follower, answers waiting polls, and leaves nothing open', async () => {
    const gate = createGate()
    const { jobs, base, server, read } = await serve({ log: gate.log })
    const { id } = await jobs.publish('42', 'queued')
    await jobs.publish('43', 'queued')
    const stream = await openStream(`${base}/43/events`)
    const socket = openSocket(`${base}/43/events`)
    const poll = read(`/42/events?after=${id}&wait=55`)
    await vi.waitFor(() => expect(gate.watching()).toBe(2))
    await vi.waitFor(() => expect(socket.events()).toHaveLength(1))
    await jobs.close()
    await stream.ended
    const bye = { control: 'bye', reason: 'shutdown', retryMs: 1000 }
    expect(stream.controls().at(-1)).toEqual(bye)
    expect(stream.controls().some(({ control }) => control === 'done')).toBe(false)
    expect(await socket.closed).toBe(1001)
    expect(socket.controls().at(-1)).toEqual(bye)
    expect(await poll).toMatchObject({ events: [], jobs: [{ done: false, cursor: id }] })
    expect(gate.watching()).toBe(0)
    server.closeIdleConnections()
    const { promise, resolve } = Promise.withResolvers()
    server.close(resolve)
    await promise
  })

  test('afterwards requests and handshakes get 503, and publish and run reject', async () => {
    const { jobs, base, get, post } = await serve({ start: () => 1 })
    await jobs.close()
    for (const response of [await get('/42'), await get('/42/events'), await post('', '1')]) {
      expect(response.status).toBe(503)
      expect(response.headers.get('retry-after')).toBe('1')
      // Without it, a proxy that keeps connections open would send its next request to this server too.
      expect(response.headers.get('connection')).toBe('close')
      expect(await response.json()).toMatchObject({ code: 'busy' })
    }
    await expect(openSocket(`${base}/42/events`).closed).rejects.toThrow(/503/)
    await expect(jobs.publish('a', 'queued')).rejects.toMatchObject({ code: 'closed' })
    await expect(jobs.run('a', () => 1)).rejects.toMatchObject({ code: 'closed' })
  })

  test('aborts running jobs, and their logs say so', async () => {
    const gate = createGate()
    const { jobs } = await serve({ log: gate.log })
    const run = jobs.run('42', (job) => new Promise((_, reject) => job.signal.addEventListener('abort', () => reject(new Error('stopped')))))
    const rejected = expect(run).rejects.toThrow('the server was closed')
    await gate.watched('42')
    const events = vi.spyOn(gate.log, 'append')
    await jobs.close()
    await rejected
    expect(events.mock.calls.map(([, type]) => type)).toEqual(['failed'])
    expect(await events.mock.results[0]?.value).toMatchObject({ data: { code: 'shutdown', message: 'the server was closed', retryable: true } })
  })

  test('after graceMs cuts connections that do not end by themselves', async () => {
    const { jobs, base } = await serve()
    await jobs.publish('42', 'queued')
    const socket = openSocket(`${base}/42/events`)
    await vi.waitFor(() => expect(socket.events()).toHaveLength(1))
    socket.ws.pause()
    const { promise: begun, resolve: begin } = Promise.withResolvers<void>()
    void jobs.run('stubborn', () => {
      begin()
      return new Promise(() => {})
    })
    await begun
    await jobs.close({ graceMs: 50 })
    socket.ws.resume()
    expect(await socket.closed).toBe(1001)
  })

  test('waits no longer than graceMs for an `authorize` or a log that does not answer', async () => {
    const never = new Promise<never>(() => {})
    const { jobs, base, get } = await serve({
      log: { ...memoryLog(), read: () => never },
      authorize: ({ jobId }) => jobId !== 'unsure' || never
    })
    const asked = ['/unsure/events', '/42/events', '/events?job=42'].flatMap((path) => [get(path), get(path, { accept: 'text/event-stream' })])
    for (const each of asked) each.catch(() => {}) // cut at the end of the test
    const socket = openSocket(`${base}/events?job=42&job=unsure`)
    await vi.waitFor(() => expect(jobs.metrics().opened).toEqual({ websocket: 1, sse: 3, ndjson: 0, connect: 0, 'long-poll': 0, 'short-poll': 3 }))
    await jobs.close({ graceMs: 50 })
    await socket.closed
    await vi.waitFor(() => expect(jobs.metrics().connections).toEqual({ websocket: 0, sse: 0, ndjson: 0, connect: 0, 'long-poll': 0, 'short-poll': 0 }))
  })

  test('spreads the return over more time the more followers there are', async () => {
    const { jobs } = await serve()
    await jobs.publish('42', 'queued')
    const headers = { accept: 'text/event-stream' }
    const responses = await Promise.all(Array.from({ length: 1500 }, () => jobs.fetch(new Request('http://localhost/jobs/42/events', { headers }))))
    const texts = Promise.all(responses.map((response) => response.text()))
    await jobs.close()
    expect((await texts)[0]).toContain('"retryMs":1500')
  })

  test('leaves no timer', async () => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'setInterval', 'clearInterval'] })
    onTestFinished(() => void vi.useRealTimers())
    const { jobs, base } = await serve({ authorize: () => ({ allow: true, expiresAt: Date.now() + 1e12 }), maxConnectionAgeMs: 1e12 })
    const { id } = await jobs.publish('42', 'queued')
    await jobs.publish('over', 'succeeded')
    // Not over the network, because `fetch` sets timers of its own.
    const stream = (await jobs.fetch(new Request(`${base}/42/events`, { headers: { accept: 'text/event-stream' } }))).text()
    const poll = jobs.fetch(new Request(`${base}/42/events?after=${id}&wait=55`))
    const sockets = [openSocket(`${base}/42/events`), openSocket(`${base}/over/events`)]
    await vi.waitFor(() => expect(sockets[1]?.controls('done')).toHaveLength(1))
    await vi.waitFor(() => expect(sockets[0]?.events()).toHaveLength(1))
    expect(vi.getTimerCount()).toBeGreaterThan(5)
    await jobs.close()
    await Promise.all([poll, stream, ...sockets.map(({ closed }) => closed)])
    expect(vi.getTimerCount()).toBe(0)
  })

  test('a second call has no effect', async () => {
    const { jobs } = await serve()
    await Promise.all([jobs.close(), jobs.close()])
  })

  test('rejects a graceMs that is no duration, rather than taking it for 0', async () => {
    const { jobs } = await serve()
    await expect(jobs.close({ graceMs: Number.NaN })).rejects.toThrow('graceMs: expected milliseconds from 0, got NaN')
    expect(await jobs.health()).toEqual({ status: 'ok' })
  })
})
