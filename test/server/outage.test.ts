import { describe, expect, test, vi } from 'vitest'
import { openSocket, openStream } from './clients.ts'
import { createGate } from './gate.ts'
import { serve } from './serve.ts'

describe('while the log is unavailable', () => {
  test('every request gets 503 with Retry-After', async () => {
    const gate = createGate()
    const errors: unknown[] = []
    const { jobs, get, post } = await serve({ log: gate.log, start: () => {}, onError: (error) => errors.push(error) })
    await jobs.publish('a', 'queued')
    const back = gate.outage()
    const answers = await Promise.all([
      get('/a'),
      get('/a/events'),
      get('/events?job=a&job=b'),
      get('/a/events?wait=5'),
      get('/a/events', { accept: 'text/event-stream' }),
      post(''),
      post('/a/cancel')
    ])
    for (const answer of answers) {
      expect(answer.status, answer.url).toBe(503)
      expect(answer.headers.get('retry-after')).toBe('2')
      expect(await answer.json()).toMatchObject({ code: 'busy', retryAfterMs: 2000, detail: "the server can't reach its log" })
    }
    expect(String(errors[0])).toContain('ECONNREFUSED')
    back()
    expect((await get('/a')).status).toBe(200)
  })

  test('each outage is reported to onError once, whoever notices it', async () => {
    const gate = createGate()
    const errors: unknown[] = []
    const { jobs, get } = await serve({ log: gate.log, onError: (error) => errors.push(error) })
    await jobs.publish('a', 'queued')
    for (const outages of [1, 2]) {
      const back = gate.outage()
      for (const path of ['/a', '/a/events', '/events?job=a&job=b']) expect((await get(path)).status).toBe(503)
      expect(errors.map(String)).toEqual(Array(outages).fill(expect.stringContaining('ECONNREFUSED')))
      back()
      expect((await get('/a')).status).toBe(200)
    }
    for (const told of [3, 4]) {
      gate.failWith(new Error('broken'))
      expect((await get('/a')).status).toBe(500)
      expect(errors).toHaveLength(told)
    }
  })

  test('a socket gets the error for the job that it subscribes to', async () => {
    const gate = createGate()
    const { jobs, base } = await serve({ log: gate.log })
    await jobs.publish('a', 'queued')
    gate.outage()
    const socket = openSocket(`${base}/a/events`)
    expect(await socket.closed).toBe(4503)
    expect(socket.controls('error')).toMatchObject([{ job: 'a', status: 503, code: 'busy', retryAfterMs: 2000 }])
  })

  test('open streams stay open, and go on when the log is back', async () => {
    const gate = createGate()
    const { jobs, base, read } = await serve({ log: gate.log, heartbeatMs: 20 })
    await jobs.publish('a', 'queued')
    const { id } = await jobs.publish('b', 'queued')
    const stream = await openStream(`${base}/a/events`)
    const several = await openStream(`${base}/events?job=a&job=a2&after=&after=`)
    const socket = openSocket(`${base}/a/events`)
    const poll = read(`/b/events?after=${id}&wait=55`)
    for (const each of [stream, several, socket]) await expect.poll(() => each.events()).toHaveLength(1)
    await vi.waitFor(() => expect(gate.watching()).toBe(2))

    const back = gate.outage()
    const beats = () => [stream.text().split('\n:').length, socket.controls('heartbeat').length] as const
    const [streamed, sent] = beats()
    // The log is read again at each heartbeat.
    await expect.poll(() => beats()[0]).toBeGreaterThan(streamed + 3)
    await expect.poll(() => beats()[1]).toBeGreaterThan(sent + 3)
    back()
    for (const job of ['a', 'b']) await jobs.publish(job, 'succeeded')
    expect((await poll).events).toMatchObject([{ type: 'succeeded' }])
    for (const each of [stream, several, socket]) await expect.poll(() => each.events()).toMatchObject([{ seq: 1 }, { seq: 2 }])
    expect([...stream.controls(), ...socket.controls()].filter(({ control }) => control === 'error')).toEqual([])
  })

  test('a running job can be cancelled afterwards, even if its log could not be watched at first', async () => {
    const gate = createGate()
    const errors: unknown[] = []
    const { jobs, post } = await serve({ log: gate.log, onError: (error) => errors.push(error) })
    let back = () => {}
    gate.onWatch(() => {
      gate.onWatch(() => {})
      back = gate.outage()
    })
    const running = jobs.run('a', (job) => new Promise((_, reject) => job.signal.addEventListener('abort', () => reject(job.signal.reason))))
    running.catch(() => {}) // it is awaited below
    await expect.poll(() => errors.length).toBeGreaterThan(0)
    back()
    expect((await post('/a/cancel')).status).toBe(202)
    await expect(running).rejects.toThrow(/was cancelled/)
    expect(await gate.log.snapshot('a')).toMatchObject({ status: 'cancelled' })
  })

  test('publish rejects, and the end of a job is appended when the log is back', async () => {
    const gate = createGate()
    const errors: unknown[] = []
    const { jobs } = await serve({ log: gate.log, onError: (error) => errors.push(error) })
    let back = () => {}
    const running = jobs.run('a', async (job) => {
      back = gate.outage()
      await job.progress({ ratio: 0.5 })
      return 'done'
    })
    await expect.poll(() => errors.length).toBeGreaterThan(0)
    await expect(jobs.publish('b', 'queued')).rejects.toMatchObject({ code: 'unavailable' })
    back()
    expect(await running).toBe('done')
    expect(await gate.log.snapshot('a')).toMatchObject({ status: 'succeeded', result: 'done', progress: { ratio: 0.5 } })
  })

  test('close does not wait for the log', async () => {
    const gate = createGate()
    const { jobs } = await serve({ log: gate.log })
    const isAway = Promise.withResolvers<void>()
    const running = jobs.run('a', async () => {
      gate.outage()
      isAway.resolve()
    })
    const ended = expect(running).rejects.toThrow()
    await isAway.promise
    await jobs.close({ graceMs: 60_000 })
    await ended
  })
})
