import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { describe, expect, onTestFinished, test } from 'vitest'
import { createJobServer } from '../../src/server/index.ts'
import { memoryLog } from '../../src/server/log/memory.ts'
import { type EventLog, LogError } from '../../src/server/log/types.ts'
import { wrapLog } from '../../src/server/log/wrap.ts'
import { redisLog } from '../../src/server/redis/index.ts'
import type { JobServerOptions } from '../../src/server/server-options.ts'
import type { JobContext } from '../../src/server/types.ts'
import { openSocket, openStream } from './clients.ts'
import { redisPath, startRedis } from './redis-server.ts'
import { type Served, serve } from './serve.ts'

/** A long timeout, since the machine may be busy. */
const eventually = <T>(find: () => T) => expect.poll(find, { timeout: 30_000 })
const RERUN = { onLost: 'rerun', leaseMs: 200, authorize: () => true } as const
const forever = () => new Promise<never>(() => {})
const typesIn = (events: { type?: unknown }[]) => events.map(({ type }) => type).filter(Boolean)

async function begin({ post }: Served, body = '{"page":7}', headers = {}): Promise<string> {
  const { id } = (await (await post('', body, headers)).json()) as { id: string } // as: a snapshot
  return id
}

/** The log of a process that dies once its job has published an event: later calls never arrive. */
function dying(log: EventLog): { log: EventLog; die(): void } {
  let isDead = false
  const alive = <T>(ask: () => Promise<T>): Promise<T> => (isDead ? Promise.reject(new LogError('closed', 'dead')) : ask())
  return {
    log: wrapLog(log, {
      append: (...entry) => alive(() => log.append(...entry)),
      renew: (...asked) => alive(() => log.renew(...asked)),
      snapshot: (job) => alive(() => log.snapshot(job)),
      adopt: (job, owner, ms) => alive(async () => log.adopt?.(job, owner, ms)),
      close: async () => {}
    }),
    die: () => {
      isDead = true
    }
  }
}

describe('onLost: "rerun"', () => {
  test('a job whose server is gone is run again by another one, with its input, and followers see one log with each event once', async () => {
    const log = memoryLog()
    const first = dying(log)
    const gone = await serve({ ...RERUN, log: first.log, start: (job) => job.output('first').then(forever) })
    const inputs: unknown[] = []
    const start = async (job: JobContext, input: unknown) => {
      inputs.push([job.attempt, input])
      await job.output('second')
      return 'done'
    }
    const other = await serve({ ...RERUN, log, start })
    const id = await begin(gone)
    const [socket, stream] = [openSocket(`${other.base}/${id}/events`), await openStream(`${other.base}/${id}/events`)]
    for (const { events } of [socket, stream]) await eventually(() => typesIn(events())).toContain('output')
    first.die()
    for (const { events } of [socket, stream]) {
      await eventually(() => typesIn(events())).toEqual(['queued', 'started', 'output', 'retrying', 'queued', 'started', 'output', 'succeeded'])
      expect(events().filter(({ type }) => type === 'started')).toMatchObject([{ data: {} }, { data: { attempt: 2 } }])
      expect(events().filter(({ type }) => type === 'retrying')).toMatchObject([{ data: { code: 'lost', attempt: 2 } }])
    }
    expect(inputs).toEqual([[2, { page: 7 }]])
    const told = JSON.stringify([await other.read(`/${id}/events`), await (await other.get(`/${id}`)).json(), stream.events(), socket.events()])
    expect(told).not.toContain('page')
  })

  test.each(['snapshot', 'events'])('of many servers that notice it at once, one runs it: %s', async (how) => {
    const log = memoryLog()
    const attempts: number[] = []
    const start = (job: JobContext) => void attempts.push(job.attempt)
    const nodes = await Promise.all(Array.from({ length: 5 }, () => serve({ ...RERUN, log: wrapLog(log, { close: async () => {} }), start })))
    await log.append('42', 'queued', {}, { lease: { owner: 'gone', ms: 100 }, rerun: { input: '1', maxAttempts: 3 } })
    // The job is queued again before it is read.
    await eventually(async () => (await log.snapshot('42'))?.seq).toBe(3)
    await Promise.all(nodes.map(({ get }) => get(how === 'snapshot' ? '/42' : '/42/events')))
    await eventually(async () => (await log.snapshot('42'))?.status).toBe('succeeded')
    expect(typesIn((await log.read('42', undefined, 10))?.events ?? [])).toEqual(['queued', 'retrying', 'queued', 'started', 'succeeded'])
    expect(attempts).toEqual([2])
  })

  test('a server that comes back late is aborted, and appends nothing to the log of the next attempt', async () => {
    const log = memoryLog()
    const deaf = wrapLog(log, { renew: async (_job, _owner, ms) => ms > 0, watch: async () => () => {}, adopt: async () => undefined, close: async () => {} })
    let late: JobContext | undefined
    const paused = await serve({
      ...RERUN,
      log: deaf,
      start(job) {
        late = job
        return forever()
      }
    })
    const next = Promise.withResolvers<string>()
    const other = await serve({ ...RERUN, log, start: () => next.promise })
    const id = await begin(paused)
    const stream = await openStream(`${other.base}/${id}/events`)
    await eventually(() => typesIn(stream.events()).filter((type) => type === 'started')).toHaveLength(2)
    await expect(late?.output('late')).rejects.toMatchObject({ code: 'conflict' })
    next.resolve('done')
    await eventually(() => typesIn(stream.events())).toEqual(['queued', 'started', 'retrying', 'queued', 'started', 'succeeded'])
  })

  test('after maxAttempts the job ends as lost', async () => {
    const log = memoryLog()
    const mute = wrapLog(log, { renew: async (_job, _owner, ms) => ms > 0, close: async () => {} })
    const served = await serve({ ...RERUN, log: mute, maxAttempts: 2, start: forever })
    const id = await begin(served)
    const stream = await openStream(`${served.base}/${id}/events`)
    await eventually(() => typesIn(stream.events())).toEqual(['queued', 'started', 'retrying', 'queued', 'started', 'failed'])
    expect((await log.snapshot(id))?.error).toMatchObject({ code: 'lost', retryable: true })
  })

  test('is tried again if the log is unavailable, or if the server is full', async () => {
    const log = memoryLog()
    let tries = 0
    const away = wrapLog(log, {
      adopt: async (...asked) => {
        tries += 1
        if (tries === 1) throw new LogError('unavailable', 'away')
        return log.adopt?.(...asked)
      }
    })
    const served = await serve({ ...RERUN, log: away, maxRunning: 1, maxQueued: 0, start: () => 'done' })
    const other = Promise.withResolvers<void>()
    const run = served.jobs.run('other', () => other.promise)
    await log.append('42', 'queued', {}, { lease: { owner: 'gone', ms: 100 }, rerun: { input: '', maxAttempts: 3 } })
    const stream = await openStream(`${served.base}/42/events`)
    await eventually(() => typesIn(stream.events())).toEqual(['queued', 'retrying', 'queued'])
    expect(tries).toBe(0)
    other.resolve()
    await run
    await eventually(() => typesIn(stream.events()).at(-1)).toBe('succeeded')
    expect(tries).toBeGreaterThanOrEqual(2)
  })

  test('a repeat with its key neither starts nor runs it twice', async () => {
    const log = memoryLog()
    let runs = 0
    const served = await serve({ ...RERUN, log, start: () => ++runs })
    const headers = { 'Idempotency-Key': crypto.randomUUID() }
    const ids = await Promise.all([1, 2, 3].map(() => begin(served, '1', headers)))
    expect(new Set(ids).size).toBe(1)
    await eventually(async () => (await log.snapshot(ids[0] ?? ''))?.status).toBe('succeeded')
    expect(runs).toBe(1)
  })

  test.each<[JobServerOptions, RegExp]>([
    [{ onLost: 'rerun', start: forever, log: wrapLog(memoryLog(), { adopt: undefined }) }, /onLost: "rerun" needs a log with `adopt`.*this one has none/],
    [{ onLost: 'rerun' }, /onLost: "rerun" needs `start`/],
    [{ onLost: 'again' as 'rerun', start: forever }, /onLost: expected "fail" or "rerun", got "again"/],
    [{ onLost: 'rerun', start: forever, maxAttempts: 1.5 }, /maxAttempts: expected an integer from 1, got 1.5/]
  ])('invalid options are refused: %o', (options, message) => {
    expect(() => createJobServer({ authorize: () => true, ...options })).toThrow(message)
  })
})

describe.skipIf(!redisPath)('onLost: "rerun" on a real Redis', () => {
  test('the process that runs a job is killed: another one runs it again, and all followers get its end once', {
    timeout: 60_000
  }, async () => {
    const redis = await startRedis()
    onTestFinished(() => redis.remove())
    const inputs: unknown[] = []
    const start = async (job: JobContext, input: unknown) => {
      inputs.push([job.attempt, input])
      await job.output('second')
    }
    const nodes = await Promise.all([1, 2].map(() => serve({ ...RERUN, leaseMs: 1000, log: redisLog({ url: redis.url }), start })))
    const runner = spawn(process.execPath, [join(import.meta.dirname, 'redis-rerunner.ts'), redis.url, '1000'], { stdio: ['ignore', 'pipe', 'inherit'] })
    onTestFinished(() => void runner.kill('SIGKILL'))
    const id = String((await once(runner.stdout, 'data'))[0]).trim()
    const readers = await Promise.all(
      nodes.flatMap(({ base }) => [openSocket(`${base}/${id}/events`), openStream(`${base}/${id}/events`), openStream(`${base}/${id}/events`)])
    )
    await eventually(() => readers.every(({ events }) => typesIn(events()).includes('output'))).toBe(true)
    runner.kill('SIGKILL')
    for (const { events } of readers)
      await eventually(() => typesIn(events())).toEqual(['queued', 'started', 'output', 'retrying', 'queued', 'started', 'output', 'succeeded'])
    expect(inputs).toEqual([[2, { page: 7 }]])
    expect(await redis.command('HGET', `jobtail:{${id}}:state`, 'input')).toBeNull()
  })
})
