import { Queue, UnrecoverableError } from 'bullmq'
import { describe, expect, onTestFinished, test, vi } from 'vitest'
import { type BullmqBridgeOptions, bullmqBridge } from '../../src/server/bullmq/index.ts'
import { createSource } from '../../src/server/bullmq/source.ts'
import { memoryLog } from '../../src/server/log/memory.ts'
import { type EventLog, LogError } from '../../src/server/log/types.ts'
import { redisLog } from '../../src/server/redis/index.ts'
import { createQueueStage, eventsOf, PATIENCE } from './bullmq-queue.ts'
import { redisPath, startRedis } from './redis-server.ts'
import { serve } from './serve.ts'

describe.skipIf(!redisPath)('jobs of a BullMQ queue', { timeout: 60_000 }, () => {
  const stage = createQueueStage('queue')
  const { newQueue, newWorker, newBridge } = stage
  const typesOf = async (log: EventLog, job: string) => (await eventsOf(log, job)).map(([type]) => type)
  const hasEnded = (log: EventLog, job: string) =>
    vi.waitFor(async () => expect(await log.read(job, undefined, 10_000)).toMatchObject({ done: true }), PATIENCE)

  test('a job is followed over HTTP from its start to its end', async () => {
    const queue = newQueue()
    const { jobs, read } = await serve()
    await newBridge(jobs).ready
    const goOn = Promise.withResolvers<void>()
    newWorker(async (job) => {
      await job.updateProgress(50)
      await job.updateProgress({ stage: 'encode', current: 3 })
      await job.log('first row')
      await goOn.promise
      await job.log('second row')
      return { url: '/1' }
    })
    await queue.add('video', { secret: 1 }, { jobId: 'a' })
    // A job's log row adds no entry to the stream.
    await vi.waitFor(async () => expect((await read('/a/events')).events.at(-1)).toMatchObject({ type: 'log', data: { message: 'first row' } }), PATIENCE)
    goOn.resolve()
    await vi.waitFor(async () => expect((await read('/a/events')).events.at(-1)).toMatchObject({ type: 'succeeded', data: { url: '/1' } }), PATIENCE)
    const { events } = await read('/a/events')
    expect(events).toMatchObject([
      { type: 'queued', data: { name: 'video' } },
      { type: 'queued', data: { state: 'waiting' } },
      { type: 'started', data: { attempt: 1 } },
      { type: 'progress', data: { ratio: 0.5 } },
      { type: 'progress', data: { stage: 'encode', current: 3 } },
      { type: 'log', data: { level: 'info', message: 'first row' } },
      { type: 'log', data: { level: 'info', message: 'second row' } },
      { type: 'succeeded', data: { url: '/1' } }
    ])
    expect(JSON.stringify(events)).not.toContain('secret')
  })

  test('retries, at once and after a pause, and then the failure with its attempts', async () => {
    const queue = newQueue()
    const log = memoryLog()
    await newBridge(log).ready
    newWorker(async (job) => {
      throw new Error(`${job.name} attempt ${job.attemptsMade}`)
    })
    await queue.add('quick', {}, { jobId: 'quick', attempts: 2 })
    await queue.add('slow', {}, { jobId: 'slow', attempts: 2, backoff: 50 })
    await hasEnded(log, 'quick')
    await hasEnded(log, 'slow')
    expect(await eventsOf(log, 'quick')).toEqual([
      ['queued', { name: 'quick' }],
      ['queued', { state: 'waiting' }],
      ['started', { attempt: 1 }],
      ['retrying', { attempt: 2, message: expect.stringMatching(/^quick attempt/) }],
      ['started', { attempt: 2 }],
      ['failed', { code: 'failed', message: 'quick attempt 1', details: { attempts: 2 } }]
    ])
    expect(await eventsOf(log, 'slow')).toEqual([
      ['queued', { name: 'slow' }],
      ['queued', { state: 'waiting' }],
      ['started', { attempt: 1 }],
      ['retrying', { attempt: 2, message: expect.stringMatching(/^slow attempt/), until: expect.stringMatching(/Z$/) }],
      ['queued', { state: 'waiting' }],
      ['started', { attempt: 2 }],
      ['failed', { code: 'failed', message: 'slow attempt 1', details: { attempts: 2 } }]
    ])
  })

  test('an unrecoverable failure, a delayed job, a removed job', async () => {
    const queue = newQueue()
    const log = memoryLog()
    await newBridge(log, { idOf: (id) => `mine-${id}` }).ready
    newWorker(async () => {
      throw new UnrecoverableError('no')
    })
    await queue.add('x', {}, { jobId: 'hopeless', attempts: 5 })
    const later = await queue.add('x', {}, { jobId: 'later', delay: 3_600_000 })
    await hasEnded(log, 'mine-hopeless')
    expect(await eventsOf(log, 'mine-hopeless')).toContainEqual(['failed', { code: 'failed', message: 'no', details: { attempts: 1 } }])
    await later.remove()
    await hasEnded(log, 'mine-later')
    expect(await eventsOf(log, 'mine-later')).toEqual([
      ['queued', { name: 'x' }],
      ['queued', { state: 'delayed', until: expect.stringMatching(/Z$/) }],
      ['cancelled', { reason: 'removed' }]
    ])
  })

  test('jobs that vanish when a queue is drained end, even if no bridge was running', async () => {
    const queue = newQueue()
    const log = memoryLog()
    const first = newBridge(log, { checkEveryMs: 20 })
    await first.ready
    await queue.add('x', {}, { jobId: 'drained' })
    await queue.add('x', {}, { jobId: 'stays', delay: 3_600_000 })
    await vi.waitFor(async () => expect(await typesOf(log, 'stays')).toHaveLength(2), PATIENCE)
    await queue.drain()
    await hasEnded(log, 'drained')
    expect(await eventsOf(log, 'drained')).toEqual([
      ['queued', { name: 'x' }],
      ['queued', { state: 'waiting' }],
      ['cancelled', { reason: 'gone' }]
    ])
    expect(await typesOf(log, 'stays')).toEqual(['queued', 'queued'])
    await first.close()
    await queue.drain(true)
    await newBridge(log).ready
    await hasEnded(log, 'stays')
    expect((await eventsOf(log, 'stays')).at(-1)).toEqual(['cancelled', { reason: 'gone' }])
  })

  test('jobs from before the bridge that are no longer in the stream are read from the queue', async () => {
    const queue = newQueue()
    const goOn = Promise.withResolvers<void>()
    newWorker(
      async (job) => {
        await job.updateProgress(40)
        await job.log('a row')
        if (job.name === 'long') await goOn.promise
        return job.name
      },
      { concurrency: 3 }
    )
    await queue.add('long', {}, { jobId: 'long' })
    await queue.add('done', {}, { jobId: 'done' })
    await queue.add('x', {}, { jobId: 'later', delay: 3_600_000 })
    await vi.waitFor(async () => {
      expect(await queue.getJobState('done')).toBe('completed')
      expect((await queue.getJobLogs('long')).count).toBe(1)
    }, PATIENCE)
    await queue.trimEvents(0)

    const log = memoryLog()
    await newBridge(log).ready
    const upToNow = [['queued', 'started', 'progress', 'log'], ['queued']]
    expect([await typesOf(log, 'long'), await typesOf(log, 'later')]).toEqual(upToNow)
    expect((await eventsOf(log, 'done')).at(-1)).toEqual(['succeeded', 'done'])
    goOn.resolve()
    await hasEnded(log, 'long')
    expect(await eventsOf(log, 'long')).toEqual([
      ['queued', { name: 'long' }],
      ['started', { attempt: 1 }],
      ['progress', { ratio: 0.4 }],
      ['log', { level: 'info', message: 'a row' }],
      ['succeeded', 'long']
    ])

    const later = memoryLog()
    await newBridge(later, { lookBackMs: 0 }).ready
    expect(await later.snapshot('done')).toBeUndefined()
    expect(await typesOf(later, 'later')).toEqual(['queued'])
  })

  test('a later bridge continues the log of an earlier one', async () => {
    const queue = newQueue()
    const log = memoryLog()
    const first = newBridge(log)
    await first.ready
    const steps = [Promise.withResolvers<void>(), Promise.withResolvers<void>()]
    newWorker(async (job) => {
      await job.updateProgress(10)
      await steps[0]?.promise
      await job.updateProgress(20)
      await job.log('unseen')
      await steps[1]?.promise
    })
    await queue.add('x', {}, { jobId: 'a' })
    await vi.waitFor(async () => expect(await typesOf(log, 'a')).toHaveLength(4), PATIENCE)
    await first.close()
    steps[0]?.resolve()
    await vi.waitFor(async () => expect((await queue.getJobLogs('a')).count).toBe(1), PATIENCE)
    await newBridge(log).ready
    steps[1]?.resolve()
    await hasEnded(log, 'a')
    expect(await typesOf(log, 'a')).toEqual(['queued', 'queued', 'started', 'progress', 'progress', 'log', 'succeeded'])
  })

  test('several bridges that come and go log each event once, in order', async () => {
    const queue = newQueue()
    const newLog = () => {
      const log = redisLog({ url: stage.redis.url, prefix: `${stage.name}:`, timeoutMs: 20_000 })
      onTestFinished(() => log.close())
      return log
    }
    const log = newLog()
    const bridges = [newBridge(newLog()), newBridge(newLog())]
    newWorker(
      async (job) => {
        for (let n = 1; n <= 5; n += 1) {
          await job.updateProgress({ n })
          await job.log(`row ${n}`)
        }
        if (job.attemptsMade === 0) throw new Error('again')
        return job.id
      },
      { concurrency: 8 }
    )
    const ids = Array.from({ length: 60 }, (_, n) => `j${n}`)
    for (const [n, jobId] of ids.entries()) {
      await queue.add('x', {}, { jobId, attempts: 2, removeOnComplete: n % 2 === 0 ? 1000 : false })
      if (n === 15) await bridges[0]?.close()
      if (n === 30) bridges.push(newBridge(newLog()), newBridge(newLog()))
    }
    for (const id of ids) await hasEnded(log, id)
    for (const id of ids) {
      const events = await eventsOf(log, id)
      const of = (wanted: string) => events.filter(([type]) => type === wanted).map(([, data]) => data)
      expect(of('started')).toEqual([{ attempt: 1 }, { attempt: 2 }])
      expect(of('retrying')).toHaveLength(1)
      expect(of('progress')).toEqual([1, 2, 3, 4, 5, 1, 2, 3, 4, 5].map((n) => ({ n })))
      expect(of('log')).toEqual([1, 2, 3, 4, 5, 1, 2, 3, 4, 5].map((n) => ({ level: 'info', message: `row ${n}` })))
      expect(events.at(0)).toEqual(['queued', { name: 'x' }])
      expect(events.at(-1)).toEqual(['succeeded', id])
      expect(events).toHaveLength(26)
    }
  })

  test('a log that is unavailable, or whose answers are lost, has each event once in the end', async () => {
    const queue = newQueue()
    const log = memoryLog()
    let appends = 0
    const errors: unknown[] = []
    const unreliable: EventLog = {
      ...log,
      async append(...entry) {
        if (entry[0] !== 'a') return log.append(...entry)
        appends += 1
        if (appends === 2) throw new LogError('unavailable', 'away')
        const event = await log.append(...entry)
        if (appends === 4) throw new LogError('unavailable', 'its answer was lost')
        return event
      }
    }
    await newBridge(unreliable, { onError: (error) => errors.push(error) }).ready
    newWorker(async (job) => {
      await job.updateProgress(1)
      await job.updateProgress(2)
    })
    await queue.add('x', {}, { jobId: 'a' })
    await hasEnded(log, 'a')
    expect(await typesOf(log, 'a')).toEqual(['queued', 'queued', 'started', 'progress', 'progress', 'succeeded'])
    expect(errors).toMatchObject([{ code: 'unavailable' }, { code: 'unavailable' }])
  })

  test('jobs that leave the stream while the log is unavailable are logged too', async () => {
    const queue = newQueue()
    const log = memoryLog()
    let isAway = false
    const away: EventLog = {
      ...log,
      async append(...entry) {
        if (isAway) throw new LogError('unavailable', 'away')
        return log.append(...entry)
      }
    }
    const refused = Promise.withResolvers<void>()
    await newBridge(away, { checkEveryMs: 20, onError: () => refused.resolve() }).ready
    newWorker(async ({ id }) => id)
    isAway = true
    await queue.add('x', {}, { jobId: 'before' })
    await refused.promise
    await queue.add('x', {}, { jobId: 'meanwhile' })
    await vi.waitFor(async () => expect(await queue.getJobState('meanwhile')).toBe('completed'), PATIENCE)
    await queue.trimEvents(0)
    isAway = false
    await hasEnded(log, 'before')
    await hasEnded(log, 'meanwhile')
    expect((await eventsOf(log, 'meanwhile')).at(-1)).toEqual(['succeeded', 'meanwhile'])
  })

  test('a queue that does not answer is not taken for an empty one', async () => {
    const own = await startRedis()
    onTestFinished(() => own.remove())
    const closing = new AbortController()
    const source = createSource({
      queue: 'q',
      connection: { host: '127.0.0.1', port: own.port, maxRetriesPerRequest: null },
      signal: closing.signal,
      onError: () => {}
    })
    onTestFinished(() => source.close())
    expect(await source.entries('0-0', 1)).toEqual([])
    own.freeze()
    const asked = expect(source.entries('0-0', 1)).rejects.toThrow('no answer')
    const impatient = redisLog({ url: own.url, timeoutMs: 1500 }) // longer than the timeout of BullMQ
    onTestFinished(() => impatient.close())
    await expect(impatient.snapshot('a')).rejects.toMatchObject({ code: 'unavailable' })
    own.thaw()
    await asked
    await vi.waitFor(async () => expect(await source.entries('0-0', 1)).toEqual([]), PATIENCE)
  })

  test('a job whose id is invalid for a log is reported and skipped', async () => {
    const queue = newQueue()
    const log = memoryLog()
    const errors: unknown[] = []
    await newBridge(log, { onError: (error) => errors.push(error), idOf: (id) => (id === 'bad' ? 'events' : id) }).ready
    newWorker(async () => {})
    await queue.add('x', {}, { jobId: 'bad' })
    await queue.add('x', {}, { jobId: 'fine' })
    await hasEnded(log, 'fine')
    expect(errors[0]).toMatchObject({ name: 'TypeError', message: expect.stringContaining('job id') })
  })

  test('close() ends its connections and timers, and leaves the log open', async () => {
    stage.name = 'quiet'
    const clients = async () =>
      String(await stage.redis.command('CLIENT', 'LIST'))
        .trim()
        .split('\n').length
    const log = memoryLog()
    const before = await clients()
    const idle = newBridge(log)
    await idle.ready
    expect(await clients()).toBeGreaterThan(before)
    await idle.close()
    await vi.waitFor(async () => expect(await clients()).toBe(before), PATIENCE)
    await log.append('a', 'queued', {})

    const early = newBridge(log)
    const closed = early.close()
    await expect(early.ready).rejects.toMatchObject({ code: 'closed' })
    await closed
    await early.close()
  })

  test.each(['frozen', 'gone'])('close() does not wait for a Redis that is %s, and leaves no connection that would return with it', async (state) => {
    const own = await startRedis()
    onTestFinished(() => own.remove())
    const bridge = bullmqBridge({
      queue: 'q',
      connection: { host: '127.0.0.1', port: own.port, maxRetriesPerRequest: null },
      jobs: memoryLog(),
      checkEveryMs: 20,
      onError: () => {}
    })
    await bridge.ready
    if (state === 'frozen') own.freeze()
    else await own.kill()
    const impatient = redisLog({ url: own.url, timeoutMs: 2000 }) // long enough for BullMQ to give up a read
    await expect(impatient.snapshot('a')).rejects.toMatchObject({ code: 'unavailable' })
    await impatient.close()
    await bridge.close()
    if (state === 'frozen') own.thaw()
    else await own.start()
    const clients = async () => String(await own.command('CLIENT', 'LIST')).match(/cmd=/g)
    await vi.waitFor(async () => expect(await clients()).toHaveLength(1), PATIENCE)
  })

  test('the Redis of the queue goes away and comes back', async () => {
    const own = await startRedis(['--appendonly', 'yes', '--appendfsync', 'always'])
    onTestFinished(() => own.remove())
    const settings = { host: '127.0.0.1', port: own.port, maxRetriesPerRequest: null }
    const queue = new Queue('q', { connection: settings })
    queue.on('error', () => {})
    onTestFinished(() => queue.close())
    const log = memoryLog()
    const bridge = bullmqBridge({ queue: 'q', connection: settings, jobs: log, onError: () => {} })
    onTestFinished(() => bridge.close())
    await bridge.ready
    await queue.add('x', {}, { jobId: 'before', delay: 3_600_000 })
    await vi.waitFor(async () => expect(await typesOf(log, 'before')).toHaveLength(2), PATIENCE)
    await own.kill()
    await own.start()
    const job = await queue.add('x', {}, { jobId: 'after', delay: 3_600_000 })
    await job.remove()
    await hasEnded(log, 'after')
    expect(await typesOf(log, 'after')).toEqual(['queued', 'queued', 'cancelled'])
    expect(await typesOf(log, 'before')).toHaveLength(2)
  })
})

test.each([
  ['queue', { queue: '' }],
  ['queue', { queue: undefined }],
  ['connection', { connection: undefined }],
  ['jobs', { jobs: undefined }],
  ['jobs', { jobs: {} }],
  ['rowsEveryMs', { rowsEveryMs: 0 }],
  ['checkEveryMs', { checkEveryMs: 0 }],
  ['lookBackMs', { lookBackMs: Number.NaN }],
  ['filter', { filter: 'x' }],
  ['idOf', { idOf: 'x' }],
  ['lazy', { lazy: 'yes' }],
  ['lazy', { lazy: true, idOf: (id: string) => id }]
])('an invalid %s is refused: %j', (name, wrong) => {
  const right = { queue: 'q', connection: { host: '127.0.0.1' }, jobs: memoryLog() }
  // as: JavaScript callers may pass anything
  expect(() => bullmqBridge({ ...right, ...wrong } as BullmqBridgeOptions)).toThrow(new RegExp(`^${name}: expected`))
})
