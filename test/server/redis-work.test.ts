import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { afterEach, beforeEach, describe, expect, onTestFinished, test, vi } from 'vitest'
import type { WireEvent } from '../../src/protocol/frames.ts'
import { redisLog } from '../../src/server/redis/index.ts'
import type { JobContext } from '../../src/server/types.ts'
import { openSocket, openStream } from './clients.ts'
import { startRelay } from './redis-relay.ts'
import { type RedisServer, redisPath, startRedis } from './redis-server.ts'
import { serve } from './serve.ts'

/** A long timeout, since the machine may be busy. */
const eventually = <T>(find: () => T, timeout = 60_000) => expect.poll(find, { timeout })

/** How long Redis is unavailable, in ms. 60,000 is the longest that a managed failover takes. */
const AWAY_MS = Number(process.env.JOBTAIL_AWAY_MS ?? 8000)

describe.skipIf(!redisPath)('jobs with work on a real Redis', { timeout: 120_000 + 2 * AWAY_MS }, () => {
  let redis: RedisServer
  beforeEach(async () => {
    redis = await startRedis(['--appendonly', 'yes', '--appendfsync', 'always']) // it must come back with its data
  })
  afterEach(() => redis.remove())

  async function eventsOf(job: string): Promise<WireEvent[]> {
    const log = redisLog({ url: redis.url })
    try {
      return (await log.read(job, undefined, 100_000))?.events ?? []
    } finally {
      await log.close()
    }
  }

  test('the process that runs a job is killed: two hundred followers at another node get the end within leaseMs and 5 s', async () => {
    const leaseMs = 3000
    const { base } = await serve({ log: redisLog({ url: redis.url }), maxReaders: 1000 })
    const runner = spawn(process.execPath, [join(import.meta.dirname, 'redis-runner.ts'), redis.url, '42', String(leaseMs)], {
      stdio: ['ignore', 'pipe', 'inherit']
    })
    onTestFinished(() => void runner.kill('SIGKILL'))
    await once(runner.stdout, 'data')
    const sockets = Array.from({ length: 100 }, () => openSocket(`${base}/42/events`))
    const streams = await Promise.all(Array.from({ length: 100 }, () => openStream(`${base}/42/events`)))
    const hasStarted = (events: { type?: unknown }[]) => events.some(({ type }) => type === 'progress')
    await eventually(() => [...sockets, ...streams].every(({ events }) => hasStarted(events()))).toBe(true)
    runner.kill('SIGKILL')
    const begun = performance.now()
    const isOver = (events: { type?: unknown; data?: unknown }[]) => (events.at(-1)?.data as { code?: string } | undefined)?.code === 'lost'
    await eventually(() => [...sockets, ...streams].every(({ events }) => isOver(events()))).toBe(true)
    expect(performance.now() - begun).toBeLessThan(leaseMs + 5000)
    expect((await eventsOf('42')).at(-1)).toMatchObject({ type: 'failed', data: { code: 'lost', retryable: true } })
  })

  test.each(['is killed and comes back', 'freezes'])(
    'Redis %s under a hundred running jobs: none fails, and outputs are there once and in order',
    async (how) => {
      const leaseMs = Math.min(3000, AWAY_MS / 2)
      const { jobs } = await serve({ log: redisLog({ url: redis.url, timeoutMs: 2000 }), leaseMs, heartbeatMs: 500 })
      const other = await serve({ log: redisLog({ url: redis.url, timeoutMs: 2000 }), heartbeatMs: 500 })
      const JOBS = 100
      const over = new AbortController()
      const work = async (job: JobContext): Promise<number> => {
        let n = 0
        for (; !over.signal.aborted; n += 1) {
          await job.progress({ current: n })
          if (n % 3 === 0) await job.output(n / 3)
          await pause(20)
        }
        return n
      }
      const runs = Array.from({ length: JOBS }, (_, n) => jobs.run(`job-${n}`, work))
      // A reader follows the jobs, because its reads notice an expired lease.
      const streams = await Promise.all(Array.from({ length: 20 }, (_, n) => openStream(`${other.base}/job-${n}/events`)))
      await eventually(() => streams.every((stream) => stream.events().some(({ type }) => type === 'output'))).toBe(true)
      if (how === 'freezes') redis.freeze()
      else await redis.kill()
      await pause(AWAY_MS)
      if (how === 'freezes') redis.thaw()
      else await redis.start()
      const seqs = streams.map((stream) => stream.events().length)
      await eventually(() => streams.every((stream, n) => stream.events().length > (seqs[n] ?? 0) + 3)).toBe(true)
      over.abort()
      const results = await Promise.all(runs)
      for (const [n, result] of results.entries()) {
        const events = await eventsOf(`job-${n}`)
        expect(events.at(-1)).toMatchObject({ type: 'succeeded', data: result })
        const outputs = events.filter(({ type }) => type === 'output').map(({ data }) => data)
        expect(outputs).toEqual(Array.from({ length: Math.ceil(result / 3) }, (_, index) => index))
      }
    }
  )

  test('a run reads none of its own events back, and a cancel reads no event', async () => {
    const { jobs } = await serve({ log: redisLog({ url: redis.url }) })
    await jobs.publish('before', 'queued') // opens the connection
    const calls = async () => Number(/cmdstat_evalsha:calls=(\d+)/.exec(String(await redis.command('INFO', 'commandstats')))?.[1])
    const before = await calls()
    await jobs.run('42', async (job) => {
      for (let n = 0; n < 300; n += 1) await job.progress({ current: n })
    })
    expect((await calls()) - before).toBeLessThanOrEqual(1.05 * 303)
    const info = String(await redis.command('INFO', 'commandstats'))
    expect(/cmdstat_info:calls=(\d+)/.exec(info)?.[1]).toBe(String(1 + 2)) // one of this test, and one for each connection
  })

  test('a start whose "started" was stored but not acknowledged before Redis went away runs once', async () => {
    const relay = await startRelay(redis.port)
    onTestFinished(relay.close)
    let runs = 0
    const { jobs, post } = await serve({
      log: redisLog({ url: relay.url, timeoutMs: 500 }),
      start: () => {
        runs += 1
      }
    })
    await vi.waitFor(() => jobs.log.snapshot('before'), { timeout: 20_000 }) // connects, which may take longer than a call waits
    const answered = post('', '1')
    relay.cutAfter('started')
    await answered // the log may be unavailable when the snapshot is read
    const idOf = async () => ((await redis.command('KEYS', 'jobtail:{????????-*}:state')) as string[])[0]?.slice('jobtail:{'.length, -'}:state'.length) ?? '' // as: a list of names
    await eventually(idOf).not.toBe('')
    const id = await idOf()
    expect((await eventsOf(id)).at(-1)?.type).toBe('started')
    expect(runs).toBe(0)
    await pause(1500) // longer than the timeout of a call
    relay.restore()
    await eventually(async () => (await eventsOf(id)).map(({ type }) => type)).toEqual(['queued', 'started', 'succeeded'])
    expect(runs).toBe(1)
  })
})
