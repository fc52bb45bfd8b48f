import { once } from 'node:events'
import { describe, expect, onTestFinished, test, vi } from 'vitest'
import { createJobServer } from '../../src/server/index.ts'
import { memoryLog } from '../../src/server/log/memory.ts'
import { type EventLog, LogError } from '../../src/server/log/types.ts'
import { wrapLog } from '../../src/server/log/wrap.ts'
import { createRunSlots } from '../../src/server/run-slots.ts'
import type { JobContext } from '../../src/server/types.ts'
import { openSocket, openStream } from './clients.ts'
import { createGate } from './gate.ts'
import { type Served, serve } from './serve.ts'

/** A long timeout, since the machine may be busy. */
const eventually = <T>(find: () => T) => expect.poll(find, { timeout: 20_000 })
const eventsOf = async ({ read }: Served, job: string) => (await read(`/${job}/events`)).events
const types = async (served: Served, job: string) => (await eventsOf(served, job)).map(({ type }) => type)
const untilAborted = ({ signal }: JobContext) => new Promise<never>((_, reject) => signal.addEventListener('abort', () => reject(signal.reason)))

describe('an unavailable log', () => {
  test('fails no work: the latest progress, lines and outputs are there once, in order, when it is back', async () => {
    const gate = createGate()
    const served = await serve({ log: gate.log })
    let back = () => {}
    const waits: string[] = []
    const run = served.jobs.run('42', async (job) => {
      await job.progress(0.1)
      back = gate.outage()
      for (let n = 2; n <= 8; n += 1) await job.progress(n / 10)
      await job.log('a line')
      void job.output('x').then(() => waits.push('output'))
      void job.publish('thumbnail', {}).then(() => waits.push('publish'))
      await job.progress(0.9)
      expect(waits).toEqual([])
      setTimeout(() => back(), 100)
      await job.output('y')
      return 'done'
    })
    expect(await run).toBe('done')
    const events = await eventsOf(served, '42')
    const ratios = events.filter(({ type }) => type === 'progress').map(({ data }) => data)
    expect(ratios.at(0)).toBe(0.1)
    expect(ratios.at(-1)).toBe(0.9)
    expect(ratios.length).toBeLessThanOrEqual(4)
    expect(events.map(({ type }) => type).filter((type) => type !== 'progress')).toEqual([
      'queued',
      'started',
      'log',
      'output',
      'thumbnail',
      'output',
      'succeeded'
    ])
  })

  test('appends nothing twice, whichever answer is lost', async () => {
    const inner = memoryLog()
    let appends = 0
    const lossy = async <T>(append: Promise<T>): Promise<T> => {
      const done = await append
      appends += 1
      if (appends % 2 === 1) throw new LogError('unavailable', 'the answer was lost')
      return done
    }
    const { appendMany } = inner
    const log = wrapLog(inner, {
      append: (...entry) => lossy(inner.append(...entry)),
      appendMany: appendMany && ((...entries) => lossy(appendMany(...entries)))
    })
    const served = await serve({ log })
    await served.jobs.run('42', async (job) => {
      for (let n = 0; n < 3; n += 1) await job.output(n)
      for (let n = 3; n < 6; n += 1) void job.output(n)
      return 1
    })
    const events = await eventsOf(served, '42')
    expect(events.map(({ type }) => type)).toEqual(['queued', 'started', ...Array(6).fill('output'), 'succeeded'])
    expect(events.slice(2, -1).map(({ data }) => data)).toEqual([0, 1, 2, 3, 4, 5])
  })

  test('limits lines, and reports how many were dropped; too many outputs that are not awaited fail the work', async () => {
    const gate = createGate()
    const served = await serve({ log: gate.log })
    let back = () => {}
    const run = served.jobs.run('42', async (job) => {
      back = gate.outage()
      for (let n = 0; n < 100; n += 1) await job.log('x'.repeat(200_000))
      back()
      await job.output('back')
    })
    await run
    const lines = (await gate.log.read('42', undefined, 1000))?.events.filter(({ type }) => type === 'log') ?? []
    expect(lines.length).toBeLessThan(60)
    const told = lines.map(({ data }) => /^(\d+) lines/.exec((data as { message: string }).message)?.[1]).filter((count) => count !== undefined)
    expect(lines.length - told.length + told.reduce((sum, count) => sum + Number(count), 0)).toBe(100)

    const flooding = served.jobs.run('flood', async (job) => {
      back = gate.outage()
      for (let n = 0; n < 100; n += 1) void job.output('x'.repeat(1_000_000))
      back()
    })
    await expect(flooding).rejects.toThrow(/wait for the log/)
    expect(await gate.log.snapshot('flood')).toMatchObject({ status: 'failed' })
  })

  test('work that was aborted waits for no output', async () => {
    const gate = createGate()
    const served = await serve({ log: gate.log, timeoutMs: 200 })
    let back = () => {}
    let rejected: unknown
    const run = served.jobs.run('42', async (job) => {
      back = gate.outage()
      await job.output(1).catch((error) => {
        rejected = error
      })
      back()
    })
    await expect(run).rejects.toThrow('longer than 200 ms')
    await eventually(() => rejected).toMatchObject({ name: 'AbortError' })
    await eventually(() => types(served, '42')).toEqual(['queued', 'started', 'output', 'failed'])
  })

  test('an acknowledged start runs, though the answer to "started" is lost again and again', async () => {
    const inner = memoryLog()
    let losses = 0
    const log = wrapLog(inner, {
      async append(id, type, ...rest) {
        const event = await inner.append(id, type, ...rest)
        if (type === 'started' && losses++ < 2) throw new LogError('unavailable', 'the answer was lost')
        return event
      }
    })
    const start = vi.fn(() => 'done')
    const served = await serve({ log, start })
    const { id } = await (await served.post('', '1')).json()
    await eventually(() => types(served, id)).toEqual(['queued', 'started', 'succeeded'])
    expect(start).toHaveBeenCalledTimes(1)
  })
})

describe('a lease', () => {
  test('a job whose owner is gone ends as lost, even for followers that only wait; a running one goes on', async () => {
    const log = memoryLog()
    const served = await serve({ log, leaseMs: 300 })
    await log.append('gone', 'queued', {}, { lease: { owner: 'gone', ms: 300 } })
    const running = served.jobs.run('here', untilAborted)
    running.catch(() => {}) // it ends with the test
    const waited = await served.read(`/gone/events?wait=20&after=${(await log.snapshot('gone'))?.cursor}`)
    expect(waited).toMatchObject({ jobs: [{ status: 'failed', done: true }], events: [{ data: { code: 'lost', retryable: true } }] })
    expect(await log.snapshot('here')).toMatchObject({ status: 'running' })
  })

  test('work that has lost its lease is aborted, and appends nothing more', async () => {
    const log = memoryLog()
    const deaf: EventLog = { ...log, renew: async () => true }
    const onError = vi.fn()
    const served = await serve({ log: deaf, leaseMs: 200, onError })
    let appended: unknown
    const run = served.jobs.run('42', async (job) => {
      await once(job.signal, 'abort')
      await job.output('late').catch((error) => {
        appended = error
      })
      throw job.signal.reason
    })
    await expect(run).rejects.toMatchObject({ name: 'AbortError', message: expect.stringContaining("this run lost the job's lease") })
    await eventually(() => appended).toMatchObject({ code: 'ended' })
    expect(await types(served, '42')).toEqual(['queued', 'started', 'failed'])
    expect(onError).not.toHaveBeenCalled()
    expect(served.jobs.metrics().outcomes).toEqual({ lost: 1 })
  })

  test('a process that stood still for longer than its lease goes on if nobody has ended the job', async () => {
    const served = await serve({ leaseMs: 150 })
    const result = await served.jobs.run('42', async (job) => {
      await job.output(1)
      for (const until = performance.now() + 600; performance.now() < until; ); // blocks the event loop
      await job.output(2)
      return 'done'
    })
    expect(result).toBe('done')
  })

  test('a job fed by publish has a lease if it asks for one', async () => {
    const served = await serve()
    await served.jobs.publish('42', 'started', {}, { lease: { owner: 'a worker', ms: 100 } })
    await eventually(async () => (await served.jobs.log.snapshot('42'))?.status).toBe('failed')
    await expect(served.jobs.publish('42', 'output', 1)).rejects.toMatchObject({ code: 'ended' })
  })
})

describe('a cancel', () => {
  test('of a queued job, or of work whose abort listener throws', async () => {
    const onError = vi.fn()
    const served = await serve({ maxRunning: 1, onError })
    const first = served.jobs.run('first', async (job) => {
      job.signal.addEventListener('abort', () => {
        throw new Error('in a listener')
      })
      job.signal.onabort = async () => {
        throw new Error('later')
      }
      return untilAborted(job)
    })
    const firstEnds = expect(first).rejects.toThrow('was cancelled')
    const work = vi.fn()
    const secondEnds = expect(served.jobs.run('second', work)).rejects.toThrow('was cancelled')
    await eventually(() => types(served, 'second')).toEqual(['queued'])
    await served.post('/second/cancel')
    await secondEnds
    expect(await types(served, 'second')).toEqual(['queued', 'cancelling', 'cancelled'])
    await served.post('/first/cancel')
    await firstEnds
    expect(work).not.toHaveBeenCalled()
    expect(onError.mock.calls.map(([error, about]) => [error.message, about])).toEqual([
      ['in a listener', { jobId: 'first' }],
      ['later', { jobId: 'first' }]
    ])
  })
})

describe('close', () => {
  test('lets work end for drainMs, and it can still be followed; queued jobs end at once; starts are refused', async () => {
    const served = await serve({ maxRunning: 1, start: () => 1, log: wrapLog(memoryLog(), { close: async () => {} }) })
    const release = Promise.withResolvers<void>()
    const running = served.jobs.run('running', () => release.promise.then(() => 'done'))
    await eventually(() => types(served, 'running')).toContain('started')
    const waiting = expect(served.jobs.run('waiting', () => 1)).rejects.toThrow('the server was closed')
    await eventually(() => types(served, 'waiting')).toContain('queued')
    const followed = served.read(`/running/events?wait=20&after=${(await served.jobs.log.snapshot('running'))?.cursor}`)
    const closed = served.jobs.close({ drainMs: 20_000 })
    await waiting
    expect((await eventsOf(served, 'waiting')).at(-1)).toMatchObject({ type: 'failed', data: { code: 'shutdown', retryable: true } })
    expect(await served.jobs.health()).toEqual({ status: 'closing' })
    expect((await served.post('', '1')).status).toBe(503)
    release.resolve()
    expect(await running).toBe('done')
    expect((await followed).events).toMatchObject([{ type: 'succeeded', data: 'done' }])
    await closed
  })

  test.each([1, 2])('%i followers of each kind get the end of a job before the bye', async (count) => {
    const served = await serve()
    const release = Promise.withResolvers<void>()
    const running = served.jobs.run('42', async (job) => {
      await release.promise
      await job.progress(1)
      return 'done'
    })
    await eventually(() => types(served, '42')).toContain('started')
    const streams = await Promise.all(Array.from({ length: count }, () => openStream(`${served.base}/42/events`)))
    const sockets = Array.from({ length: count }, () => openSocket(`${served.base}/42/events`))
    for (const each of [...streams, ...sockets]) await eventually(() => each.events().length).toBe(2)
    const closed = served.jobs.close({ drainMs: 20_000 })
    release.resolve()
    await running
    await closed
    await Promise.all([...streams.map(({ ended }) => ended), ...sockets.map((socket) => socket.closed)])
    for (const each of [...streams, ...sockets]) expect(each.events().map(({ type }) => type)).toEqual(['queued', 'started', 'progress', 'succeeded'])
  })

  test('a reader that is far behind, or reads from a slow log, has the end of a job that was waited for, before the bye', async () => {
    const memory = memoryLog()
    const log = wrapLog(memory, {
      async read(...asked) {
        await new Promise((resolve) => setTimeout(resolve, 10))
        return memory.read(...asked)
      }
    })
    const served = await serve({ log })
    const release = Promise.withResolvers<void>()
    const running = served.jobs.run('42', async (job) => {
      await release.promise
      for (let n = 0; n < 10; n += 1) await job.output('x'.repeat(60_000))
      return 'done'
    })
    await eventually(() => types(served, '42')).toContain('started')
    const stream = await openStream(`${served.base}/42/events`)
    const socket = openSocket(`${served.base}/42/events`)
    for (const each of [stream, socket]) await eventually(() => each.events().length).toBe(2)
    const closed = served.jobs.close({ drainMs: 20_000 })
    release.resolve()
    await running
    await closed
    await Promise.all([stream.ended, socket.closed])
    for (const each of [stream, socket]) expect(each.events().map(({ type }) => type)).toEqual(['queued', 'started', ...Array(10).fill('output'), 'succeeded'])
  })

  test('a reader that does not take the end in time gets the bye all the same', async () => {
    const served = await serve()
    const release = Promise.withResolvers<void>()
    const running = served.jobs.run('42', () => release.promise)
    await eventually(() => types(served, '42')).toContain('started')
    const socket = openSocket(`${served.base}/42/events?window=1`)
    await eventually(() => socket.events().length).toBe(1)
    const closed = served.jobs.close({ drainMs: 20_000, graceMs: 1000 })
    release.resolve()
    await running
    await closed
    expect(await socket.closed).toBe(1001)
    expect(socket.controls('bye')).toMatchObject([{ reason: 'shutdown' }])
  })

  test('a result after the abort counts; work that does not end in time is not waited for', async () => {
    const log = wrapLog(memoryLog(), { close: async () => {} })
    const served = await serve({ log })
    const finishing = served.jobs.run('finishing', async (job) => {
      await once(job.signal, 'abort')
      return 'done all the same'
    })
    const stuck = served.jobs.run('stuck', () => new Promise(() => {}))
    stuck.catch(() => {}) // it never ends
    await eventually(() => served.jobs.metrics().running).toBe(2)
    await served.jobs.close({ graceMs: 50, drainMs: 50 })
    expect(await finishing).toBe('done all the same')
    expect(await log.snapshot('finishing')).toMatchObject({ status: 'succeeded', result: 'done all the same' })
  })

  test('refuses a drainMs that is no duration', async () => {
    const { jobs } = await serve()
    await expect(jobs.close({ drainMs: Number.NaN })).rejects.toThrow('drainMs: expected milliseconds from 0, got NaN')
  })
})

describe('limits', () => {
  test('at most maxRunning run, and the rest is queued with its position, in order', async () => {
    const served = await serve({ maxRunning: 2, maxQueued: 3, start: (job) => release.promise.then(() => job.id) })
    const release = Promise.withResolvers<void>()
    const answers = []
    for (let n = 0; n < 6; n += 1) answers.push(await served.post('', String(n)))
    expect(answers.map(({ status }) => status)).toEqual([202, 202, 202, 202, 202, 503])
    expect(answers[5]?.headers.get('retry-after')).toBe('5')
    const ids = await Promise.all(answers.slice(0, 5).map(async (answer): Promise<string> => (await answer.json()).id))
    await eventually(() => served.jobs.metrics()).toMatchObject({ running: 2, queued: 3 })
    const first = await Promise.all(ids.map(async (id) => (await eventsOf(served, id))[0]?.data))
    expect(first).toEqual([{}, {}, { position: 1 }, { position: 2 }, { position: 3 }])
    await expect(served.jobs.run('one more', () => 1)).rejects.toMatchObject({ code: 'busy' })
    release.resolve()
    await eventually(() => served.jobs.metrics()).toMatchObject({ running: 0, queued: 0, outcomes: { succeeded: 5 } })
  })

  test('a job that waits is told its place as it moves up: not more than once a second, nor more than a few times in all', async () => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] })
    onTestFinished(() => void vi.useRealTimers())
    const jobs = createJobServer({ maxRunning: 1 })
    onTestFinished(() => jobs.close())
    const ends: (() => void)[] = []
    const runs = Array.from({ length: 1001 }, (_, n) => jobs.run(`${n}`, () => new Promise<void>((resolve) => ends.push(resolve))))
    for (const [n, run] of runs.entries()) {
      while (ends.length <= n) await new Promise(setImmediate)
      ends[n]?.()
      await run
      if (n % 2 === 0) vi.advanceTimersByTime(500) // so that a second is four steps
    }
    const placesOf = async (id: string) =>
      (await jobs.log.read(id, undefined, 100))?.events.flatMap(({ type, data }) => (type === 'queued' ? [Object(data).position] : []))
    expect(await placesOf('1')).toEqual([1])
    expect(await placesOf('1000')).toEqual([1000, 497, 245, 121, 57, 25, 9, 5, 1])
  })

  test('the ten at the front are told every step; one that has left the queue is told nothing', async () => {
    const slots = createRunSlots({ maxRunning: 1, maxRunningPerSubject: 1, maxQueued: 20 })
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] })
    onTestFinished(() => void vi.useRealTimers())
    const taken = Array.from({ length: 14 }, () => slots.acquire())
    const told: [number, number][] = []
    for (const [n, slot] of taken.entries()) slot?.onMove((position) => told.push([n, position]))
    taken[0]?.release()
    vi.advanceTimersByTime(999)
    expect(told).toEqual([])
    vi.advanceTimersByTime(1)
    // The others have moved up by one only: they are told once half of the way is made, or at the tenth place.
    expect(told).toEqual(Array.from({ length: 10 }, (_, n) => [n + 2, n + 1]))
    for (const slot of taken) slot?.release()
    vi.advanceTimersByTime(1000)
    expect(told).toHaveLength(10)
    expect(vi.getTimerCount()).toBe(0)
  })

  test('at most maxRunningPerSubject of one subject run, without blocking other subjects', async () => {
    const release = Promise.withResolvers<void>()
    const served = await serve({
      maxRunning: 3,
      maxRunningPerSubject: 1,
      authorize: ({ request }) => ({ allow: true, subject: request.headers.get('authorization') ?? 'nobody' }),
      start: () => release.promise
    })
    for (const authorization of ['a', 'a', 'a', 'b']) expect((await served.post('', '1', { authorization })).status).toBe(202)
    await eventually(() => served.jobs.metrics()).toMatchObject({ running: 2, queued: 2 })
    release.resolve()
    await eventually(() => served.jobs.metrics()).toMatchObject({ running: 0, queued: 0, outcomes: { succeeded: 4 } })
  })

  test.each<[string, number, (run: (id: string, work?: () => unknown) => Promise<unknown>) => Promise<unknown>]>([
    ['one in another', 1, (run) => run('a', () => run('b'))],
    ['three deep', 1, (run) => run('a', () => run('b', () => run('c')))],
    ['several in one, at once', 1, (run) => run('a', () => Promise.all([run('b'), run('c'), run('d', () => run('e'))]))],
    ['one after the other', 1, (run) => run('a', async () => [await run('b'), await run('c', () => run('d'))])],
    ['one in each of several', 2, (run) => Promise.all(['a', 'b', 'c', 'd'].map((id) => run(id, () => run(`${id}/in`, () => run(`${id}/in/in`)))))],
    ['in a timer of the work', 1, (run) => run('a', () => new Promise((resolve) => setTimeout(resolve)).then(() => run('b')))],
    ['one that fails', 1, (run) => run('a', () => run('b', () => Promise.reject(new Error('no'))).catch(() => run('c')))]
  ])('a run that waits for runs of its own gives its place to them: %s', async (_, maxRunning, make) => {
    const served = await serve({ maxRunning, maxQueued: 10 })
    let now = 0
    let most = 0
    const leaf = async () => {
      most = Math.max(most, ++now)
      await new Promise(setImmediate)
      now -= 1
    }
    await make((id, work = leaf) => served.jobs.run(id, work))
    expect(most).toBe(maxRunning)
    // No place is lost, and none is counted twice.
    await Promise.all(Array.from({ length: maxRunning + 1 }, (_, n) => served.jobs.run(`after ${n}`, leaf)))
    expect(most).toBe(maxRunning)
    expect(served.jobs.metrics()).toMatchObject({ running: 0, queued: 0 })
  })

  test('a run inside another counts for the same subject; one that nobody waits for keeps the place when the outer one ends', async () => {
    const release = Promise.withResolvers<void>()
    const inner: Promise<unknown>[] = []
    const served = await serve({
      maxRunning: 10,
      maxRunningPerSubject: 1,
      authorize: () => ({ allow: true, subject: 'ann' }),
      start: (job) => void inner.push(served.jobs.run(`${job.id}.in`, () => release.promise))
    })
    expect((await served.post('', '1')).status).toBe(202)
    await eventually(() => served.jobs.metrics()).toMatchObject({ running: 1, outcomes: { succeeded: 1 } })
    expect((await served.post('', '2')).status).toBe(202)
    expect(served.jobs.metrics()).toMatchObject({ running: 1, queued: 1 })
    release.resolve()
    await eventually(() => served.jobs.metrics()).toMatchObject({ running: 0, queued: 0, outcomes: { succeeded: 4 } })
    await Promise.all(inner)
  })

  test('a repeat with the key of a queued job does not run it twice', async () => {
    const release = Promise.withResolvers<void>()
    const start = vi.fn(() => release.promise)
    const served = await serve({ maxRunning: 1, start })
    const ask = async (key: string) => (await served.post('', '1', { 'idempotency-key': key })).status
    for (const key of ['a', 'b', 'b', 'a', 'b']) expect(await ask(key)).toBe(202)
    release.resolve()
    await eventually(() => served.jobs.metrics()).toMatchObject({ running: 0, queued: 0, outcomes: { succeeded: 2 } })
    expect(start).toHaveBeenCalledTimes(2)
  })

  test('a job that takes longer than timeoutMs is aborted and ends, even if its work does not; its place stays taken until the work ends', async () => {
    const served = await serve({ timeoutMs: 100, maxRunning: 1 })
    const release = Promise.withResolvers<void>()
    const run = served.jobs.run('42', () => release.promise)
    await expect(run).rejects.toMatchObject({ message: 'the job ran for longer than 100 ms (timeoutMs)' })
    expect((await eventsOf(served, '42')).at(-1)).toMatchObject({ type: 'failed', data: { code: 'timeout' } })
    const work = vi.fn()
    const next = served.jobs.run('43', work)
    await eventually(() => types(served, '43')).toEqual(['queued'])
    expect(work).not.toHaveBeenCalled()
    release.resolve()
    await next
    expect(served.jobs.metrics().outcomes).toEqual({ timeout: 1, succeeded: 1 })
  })

  test('an event larger than maxEventBytes is refused, with the reason', async () => {
    const served = await serve({ maxEventBytes: 1000 })
    const message = 'expected at most 1000 bytes of JSON (maxEventBytes), got 1002'
    await expect(served.jobs.publish('42', 'output', 'x'.repeat(1000))).rejects.toThrow(message)
    await expect(served.jobs.publish('42', 'output', 'ü'.repeat(500))).rejects.toThrow(message)
    await served.jobs.run('43', async (job) => {
      await expect(job.output('x'.repeat(1000))).rejects.toThrow(message)
      await job.output('x'.repeat(998))
    })
    await expect(served.jobs.run('44', () => 'x'.repeat(1000))).rejects.toThrow(message)
    expect(await types(served, '44')).toEqual(['queued', 'started', 'failed'])
  })

  test.each([
    ['leaseMs', 99],
    ['maxRunning', 0],
    ['maxRunningPerSubject', Number.NaN],
    ['maxQueued', -1],
    ['timeoutMs', 0],
    ['maxEventBytes', 0],
    ['exposeErrors', 1]
  ])('%s: %s is refused', async (name, value) => {
    await expect(serve({ [name]: value })).rejects.toThrow(`${name}: expected`)
  })
})

test('three thousand anonymous starts: never more than maxRunning at once, and all end', async () => {
  let now = 0
  let most = 0
  const served = await serve({
    maxRunning: 50,
    start: async () => {
      now += 1
      most = Math.max(most, now)
      await new Promise(setImmediate)
      now -= 1
    }
  })
  const STARTS = 3000
  let next = 0
  const client = async () => {
    while (next++ < STARTS) expect((await served.jobs.fetch(new Request(served.base, { method: 'POST', body: '1' }))).status).toBe(202)
  }
  await Promise.all(Array.from({ length: 500 }, client))
  await eventually(() => served.jobs.metrics()).toMatchObject({ running: 0, queued: 0, outcomes: { succeeded: STARTS } })
  expect(most).toBe(50)
})
