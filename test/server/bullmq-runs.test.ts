import { DelayedError, Queue, UnrecoverableError, Worker } from 'bullmq'
import { describe, expect, onTestFinished, test, vi } from 'vitest'
import { bullmqBridge, onCancel } from '../../src/server/bullmq/index.ts'
import { createJobServer, type EventLog, memoryLog } from '../../src/server/index.ts'
import { redisLog } from '../../src/server/redis/index.ts'
import { createQueueStage, endsWith, eventsOf, PATIENCE } from './bullmq-queue.ts'
import { redisPath, startRedis } from './redis-server.ts'

describe.skipIf(!redisPath)('BullMQ: runs, bridges and filters', { timeout: 60_000 }, () => {
  const stage = createQueueStage('runs')
  const { newQueue, newWorker } = stage
  const newBridge: typeof stage.newBridge = (jobs, options) => stage.newBridge(jobs, { checkEveryMs: 50, ...options })

  /** The tests run with a memory log, and with one in Redis. */
  const logs: [string, () => EventLog][] = [
    ['memory', () => memoryLog()],
    ['Redis', () => redisLog({ url: stage.redis.url, prefix: `${stage.name}:` })]
  ]

  test.each(logs)("a job id that is added again begins a new log, whatever the first run's end: %s", async (_, make) => {
    const queue = newQueue()
    const log = make()
    onTestFinished(() => log.close())
    await newBridge(log).ready
    let run = 0
    newWorker(async (job) => {
      run += 1
      await job.updateProgress(run)
      return { run }
    })
    await queue.add('report', {}, { jobId: 'report-7', removeOnComplete: true })
    await endsWith(log, 'report-7', ['succeeded', { run: 1 }])
    const first = await log.snapshot('report-7')
    await queue.add('report', {}, { jobId: 'report-7', removeOnComplete: true })
    await endsWith(log, 'report-7', ['succeeded', { run: 2 }])
    expect(await eventsOf(log, 'report-7')).toEqual([
      ['queued', { name: 'report' }],
      ['queued', { state: 'waiting' }],
      ['started', { attempt: 1 }],
      ['progress', { ratio: 0.02 }],
      ['succeeded', { run: 2 }]
    ])
    expect((await log.snapshot('report-7'))?.epoch).not.toBe(first?.epoch)
  })

  test('after obliterate ids begin at 1 again, and so do their logs', async () => {
    const queue = newQueue()
    const log = memoryLog()
    await newBridge(log).ready
    const worker = newWorker(async ({ data }) => data.n)
    await queue.add('x', { n: 1 })
    await endsWith(log, '1', ['succeeded', 1])
    await worker.close()
    await queue.obliterate({ force: true })
    await queue.resume()
    newWorker(async ({ data }) => data.n)
    await queue.add('x', { n: 2 })
    await endsWith(log, '1', ['succeeded', 2])
  })

  test('a failed job that is retried by hand runs again in its log', async () => {
    const queue = newQueue()
    const log = memoryLog()
    await newBridge(log).ready
    let isBroken = true
    newWorker(async () => {
      if (isBroken) throw new Error('broken')
      return 'mended'
    })
    const job = await queue.add('x', {}, { jobId: 'a' })
    await endsWith(log, 'a', ['failed', expect.objectContaining({ message: 'broken' })])
    isBroken = false
    await job.retry('failed')
    await endsWith(log, 'a', ['succeeded', 'mended'])
  })

  test('a bridge that reads an old stream again begins no log anew', async () => {
    const queue = newQueue()
    const log = memoryLog()
    const first = newBridge(log)
    await first.ready
    newWorker(async () => 'once')
    await queue.add('x', {}, { jobId: 'a' })
    await endsWith(log, 'a', ['succeeded', 'once'])
    const epoch = (await log.snapshot('a'))?.epoch
    await first.close()
    await newBridge(log).ready
    expect((await log.snapshot('a'))?.epoch).toBe(epoch)
  })

  test.each(logs)('a job that ended and was removed while no bridge ran, and is no longer in the stream, ends: %s', async (_, make) => {
    const queue = newQueue()
    const log = make()
    onTestFinished(() => log.close())
    const first = newBridge(log)
    await first.ready
    const goOn = Promise.withResolvers<void>()
    newWorker(async () => goOn.promise)
    await queue.add('x', {}, { jobId: 'ran', removeOnComplete: true })
    await vi.waitFor(async () => expect((await log.snapshot('ran'))?.status).toBe('running'), PATIENCE)
    await first.close()
    goOn.resolve()
    await vi.waitFor(async () => expect(await queue.getJob('ran')).toBeUndefined(), PATIENCE)
    await queue.trimEvents(0)
    await newBridge(log).ready
    await endsWith(log, 'ran', ['failed', { code: 'lost', message: expect.stringContaining('no longer in its queue'), retryable: false }])
  })

  test('a job that ended while no bridge ran, and is kept but no longer in the stream, ends as it did', async () => {
    const queue = newQueue()
    const log = memoryLog()
    const first = newBridge(log)
    await first.ready
    const goOn = Promise.withResolvers<void>()
    newWorker(async () => goOn.promise.then(() => 'kept'))
    await queue.add('x', {}, { jobId: 'kept' })
    await vi.waitFor(async () => expect((await log.snapshot('kept'))?.status).toBe('running'), PATIENCE)
    await first.close()
    goOn.resolve()
    await vi.waitFor(async () => expect(await queue.getJobState('kept')).toBe('completed'), PATIENCE)
    await queue.trimEvents(0)
    await newBridge(log).ready
    await endsWith(log, 'kept', ['succeeded', 'kept'])
  })

  test('a delay by the worker, and a rate limit, are no failures', async () => {
    const queue = newQueue()
    const log = memoryLog()
    await newBridge(log).ready
    let runs = 0
    newWorker(async (job, token) => {
      runs += 1
      if (runs === 1) {
        await job.moveToDelayed(Date.now() + 20, token)
        throw new DelayedError()
      }
      return 'done'
    })
    await queue.add('x', {}, { jobId: 'a', attempts: 3 })
    await endsWith(log, 'a', ['succeeded', 'done'])
    const events = await eventsOf(log, 'a')
    expect(events.map(([type]) => type)).not.toContain('retrying')
    expect(events).toContainEqual(['queued', { state: 'delayed', until: expect.stringMatching(/Z$/) }])

    const limited = newQueue()
    await newBridge(log, { idOf: (id) => `limited-${id}` }).ready
    let times = 0
    const worker = newWorker(async () => {
      times += 1
      if (times === 1) {
        await limited.rateLimit(20)
        throw Worker.RateLimitError()
      }
      return 'done'
    })
    expect(worker.isRunning()).toBe(true)
    await limited.add('x', {}, { jobId: 'b' })
    await endsWith(log, 'limited-b', ['succeeded', 'done'])
    expect((await eventsOf(log, 'limited-b')).map(([type]) => type)).not.toContain('retrying')
  })

  test('a bridge that reads a delay and a retry after the job has ended tells them apart', async () => {
    const queue = newQueue()
    const runs = { slow: 0, failing: 0 }
    newWorker(async (job, token) => {
      if (job.name === 'failing' && ++runs.failing < 3) throw new Error(`run ${runs.failing}`)
      if (job.name === 'slow' && ++runs.slow === 1) {
        await job.moveToDelayed(Date.now() + 20, token)
        throw new DelayedError()
      }
      return 'done'
    })
    for (const name of ['slow', 'failing']) await queue.add(name, {}, { jobId: `${name}-1`, attempts: 3 })
    await vi.waitFor(async () => expect(await queue.getJobCounts('completed')).toEqual({ completed: 2 }), PATIENCE)
    const log = memoryLog()
    await newBridge(log).ready
    const retries: number[] = []
    for (const id of ['slow-1', 'failing-1']) {
      await endsWith(log, id, ['succeeded', 'done'])
      retries.push((await eventsOf(log, id)).filter(([type]) => type === 'retrying').length)
    }
    expect(retries).toEqual([0, 2])
  })

  test('readers see none of the bookkeeping, in events, streams or snapshots', async () => {
    const queue = newQueue()
    for (const [n, log] of [memoryLog(), redisLog({ url: stage.redis.url, prefix: `${stage.name}-read:` })].entries()) {
      const id = `seen${n}`
      const jobs = createJobServer({ log })
      const bridge = newBridge(jobs)
      await bridge.ready
      const goOn = Promise.withResolvers<void>()
      const worker = newWorker(async (job) => {
        await job.updateProgress({ stage: 'a', bullmq: 'mine' })
        await goOn.promise
      })
      await queue.add('x', {}, { jobId: id })
      await vi.waitFor(async () => expect(await jobs.log.snapshot(id)).toMatchObject({ progress: { stage: 'a', bullmq: 'mine' } }), PATIENCE)
      const texts = [JSON.stringify(await jobs.log.snapshot(id)), JSON.stringify(await jobs.log.read(id, undefined, 100))]
      for (const path of [`/${id}`, `/${id}/events`])
        texts.push(await (await jobs.fetch(new Request(`http://x/jobs${path}`, { headers: { accept: 'application/json' } }))).text())
      for (const text of texts) expect(text).not.toMatch(/jobtail:mark|"rows"|"entry"/)
      goOn.resolve()
      await endsWith(log, id, ['succeeded', null])
      await worker.close()
      await bridge.close()
      await jobs.close()
    }
  })

  test('a filter leaves jobs out, even those from before the bridge', async () => {
    const queue = newQueue()
    await queue.add('secret', {}, { jobId: 'before', delay: 3_600_000 })
    const log = memoryLog()
    await newBridge(log, { filter: ({ name }) => name !== 'secret' }).ready
    newWorker(async () => 1)
    await queue.add('secret', {}, { jobId: 'after' })
    await queue.add('open', {}, { jobId: 'open' })
    await endsWith(log, 'open', ['succeeded', 1])
    await vi.waitFor(async () => expect(await queue.getJobState('after')).toBe('completed'), PATIENCE)
    expect([await log.snapshot('before'), await log.snapshot('after')]).toEqual([undefined, undefined])
  })

  test('a lazy bridge logs only the jobs that are followed, at whichever server', async () => {
    const queue = newQueue()
    const log = redisLog({ url: stage.redis.url, prefix: `${stage.name}:` })
    onTestFinished(() => log.close())
    const bridges = [newBridge(log, { lazy: true }), newBridge(log, { lazy: true })]
    await Promise.all(bridges.map(({ ready }) => ready))
    const goOn = Promise.withResolvers<void>()
    newWorker(async ({ id }) => {
      if (id === 'slow') await goOn.promise
      return id
    })
    await queue.add('x', {}, { jobId: 'unseen' })
    await queue.add('x', {}, { jobId: 'slow' })
    for (const bridge of bridges) {
      await vi.waitFor(async () => expect(await bridge.log.snapshot('slow')).toMatchObject({ status: 'running' }), PATIENCE)
      await bridge.log.snapshot('nobody')
    }
    goOn.resolve()
    await endsWith(log, 'slow', ['succeeded', 'slow'])
    expect(await log.snapshot('unseen')).toBeUndefined()
    await vi.waitFor(async () => expect(await bridges[1]?.log.snapshot('unseen')).toMatchObject({ status: 'succeeded', result: 'unseen' }), PATIENCE)
  })

  test('when the active bridge dies without a word, another one takes over its unfinished jobs', async () => {
    newQueue()
    const log = memoryLog()
    await log.append('left', 'started', {})
    await log.append(`bullmq:bull:${stage.name}`, 'progress', { open: ['left'], isReady: true }, { lease: { owner: 'gone', ms: 300 } })
    await newBridge(log).ready // it stands by, as the first one is active
    await endsWith(log, 'left', ['failed', expect.objectContaining({ code: 'lost' })])
  })

  test('a filter that throws leaves the job out, and is reported', async () => {
    const queue = newQueue()
    const log = memoryLog()
    const onError = vi.fn()
    await newBridge(log, {
      onError,
      filter: ({ id }) => {
        if (id === 'bad') throw new Error('broken filter')
        return true
      }
    }).ready
    newWorker(async () => 1)
    await queue.add('x', {}, { jobId: 'bad' })
    await queue.add('x', {}, { jobId: 'good' })
    await endsWith(log, 'good', ['succeeded', 1])
    expect(await log.snapshot('bad')).toBeUndefined()
    expect(onError).toHaveBeenCalledWith(expect.objectContaining({ message: 'broken filter' }))
  })

  test('one of several bridges is active, and when it is closed another one takes over at once', async () => {
    const queue = newQueue()
    const log = memoryLog()
    const appends = vi.fn()
    const counted = (n: number): EventLog => ({
      ...log,
      append(job, ...rest) {
        if (!job.startsWith('bullmq:')) appends(n)
        return log.append(job, ...rest)
      },
      appendMany: undefined
    })
    const bridges = [newBridge(counted(0)), newBridge(counted(1)), newBridge(counted(2))]
    await Promise.all(bridges.map(({ ready }) => ready))
    newWorker(async () => 1)
    await queue.add('x', {}, { jobId: 'a' })
    await endsWith(log, 'a', ['succeeded', 1])
    const first = new Set(appends.mock.calls.map(([n]) => n))
    expect(first.size).toBe(1)
    appends.mockClear()
    const [leading = 0] = first
    await bridges[leading]?.close()
    await queue.add('x', {}, { jobId: 'b' })
    await endsWith(log, 'b', ['succeeded', 1])
    expect(new Set(appends.mock.calls.map(([n]) => n))).not.toContain(leading)
  })
})

describe.skipIf(!redisPath)('a cancel reaches the code of a worker', { timeout: 60_000 }, () => {
  test('by its signal, and the job ends', async () => {
    const redis = await startRedis()
    onTestFinished(() => redis.remove())
    const connection = { host: '127.0.0.1', port: redis.port, maxRetriesPerRequest: null }
    const queue = new Queue('q', { connection })
    const jobs = createJobServer({ log: redisLog({ url: redis.url }) })
    const bridge = bullmqBridge({ queue: 'q', connection, jobs, onError: () => {} })
    const log = redisLog({ url: redis.url }) // the log of the worker's process
    const stopped = vi.fn()
    const worker = new Worker(
      'q',
      async (job, _, signal) => {
        const stop = await onCancel(log, job.id ?? '', (data) => worker.cancelJob(job.id ?? '', JSON.stringify(data)))
        try {
          await new Promise((_, reject) => signal?.addEventListener('abort', () => reject(new UnrecoverableError(`cancelled: ${signal.reason}`))))
        } finally {
          stop()
          stopped()
        }
      },
      { connection }
    )
    onTestFinished(async () => {
      await worker.close(true)
      await bridge.close()
      await queue.close()
      await jobs.close()
      await log.close()
    })
    await bridge.ready
    await queue.add('x', {}, { jobId: 'a', attempts: 3 })
    await vi.waitFor(async () => expect((await jobs.log.snapshot('a'))?.status).toBe('running'), PATIENCE)
    const asked = await jobs.fetch(new Request('http://x/jobs/a/cancel', { method: 'POST' }))
    expect(asked.status).toBe(202)
    await vi.waitFor(
      async () => expect(await jobs.log.snapshot('a')).toMatchObject({ status: 'failed', error: { message: expect.stringContaining('cancelled') } }),
      PATIENCE
    )
    expect(stopped).toHaveBeenCalledTimes(1)
  })

  test('even if it came before the work, only once, and not after the worker has stopped', async () => {
    const log = memoryLog()
    await log.append('a', 'cancelling', { reason: 'enough' })
    const cancel = vi.fn()
    const stop = await onCancel(log, 'a', cancel)
    await log.append('a', 'cancelling', {})
    expect(cancel.mock.calls).toEqual([[{ reason: 'enough' }]])
    stop()
    const never = vi.fn()
    ;(await onCancel(log, 'b', never))()
    await log.append('b', 'cancelling', {})
    expect(never).not.toHaveBeenCalled()
  })
})
