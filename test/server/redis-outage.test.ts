import { afterEach, beforeEach, describe, expect, onTestFinished, test, vi } from 'vitest'
import type { EventLog } from '../../src/server/log/types.ts'
import { type RedisLogOptions, redisLog } from '../../src/server/redis/index.ts'
import { openStream } from './clients.ts'
import { startRelay } from './redis-relay.ts'
import { type RedisServer, redisPath, startRedis } from './redis-server.ts'
import { serve } from './serve.ts'

/** A long timeout, since the machine may be busy. */
const eventually = <T>(find: () => T) => expect.poll(find, { timeout: 30_000 })
const upTo = (last: number) => Array.from({ length: last }, (_, n) => n + 1)
const isSocket = (resource: string) => /TCP|Timeout/.test(resource)
const resources = () => process.getActiveResourcesInfo().filter(isSocket)

describe.skipIf(!redisPath)('a Redis that is unavailable at times', { timeout: 60_000 }, () => {
  let redis: RedisServer
  beforeEach(async () => {
    redis = await startRedis()
  })
  afterEach(() => redis.remove())

  function newLog(options: RedisLogOptions = {}): EventLog {
    const log = redisLog({ url: redis.url, timeoutMs: 20_000, ...options })
    onTestFinished(() => log.close())
    return log
  }

  /** Reads a job as a reader does: the new events, at each wake-up. */
  async function follow(log: EventLog, job: string) {
    const seqs: number[] = []
    let after: string | undefined
    let reading = Promise.resolve()
    const read = async () => {
      for (let more = true; more; ) {
        const page = await log.read(job, after, 100)
        for (const { id, seq } of page?.events ?? []) {
          seqs.push(seq)
          after = id
        }
        more = page?.more ?? false
      }
    }
    const wake = () => {
      reading = reading.then(read)
      reading.catch(() => {}) // a test that waits for events fails if they don't come
    }
    await log.watch(job, wake)
    wake()
    return { seqs }
  }

  test('a subscribed connection that is cut again and again misses no event', async () => {
    const log = newLog()
    const { seqs } = await follow(log, 'a')
    for (let n = 1; n <= 200; n += 1) {
      await log.append('a', 'output', n)
      if (n % 20 === 0) await redis.command('CLIENT', 'KILL', 'TYPE', 'pubsub')
    }
    await eventually(() => seqs).toEqual(upTo(200))
  })

  test('a watcher is woken once the connection is subscribed again, even if nothing was appended', async () => {
    const log = newLog()
    const woken = Promise.withResolvers<void>()
    await log.watch('a', () => woken.resolve())
    await redis.command('CLIENT', 'KILL', 'TYPE', 'pubsub')
    await woken.promise
    expect(await redis.command('PUBSUB', 'NUMSUB', 'jobtail:{a}:wake')).toEqual(['jobtail:{a}:wake', 1])
  })

  test('a watch that begins while the connection is cut uses the next one', async () => {
    const relay = await startRelay(redis.port)
    onTestFinished(relay.close)
    const log = newLog({ url: relay.url })
    await log.watch('before', () => {})
    relay.swallowAnswer('subscribe')
    const woken = Promise.withResolvers<void>()
    await log.watch('a', () => woken.resolve())
    expect(relay.swallowed()).toBe(1)
    await log.append('a', 'queued', {})
    await woken.promise
  })

  test('one connection subscribes, only to the jobs that are watched', async () => {
    const log = newLog()
    const stops = await Promise.all(upTo(50).map((n) => log.watch(`job${n % 10}`, () => {})))
    const channels = async () => ((await redis.command('PUBSUB', 'CHANNELS')) as string[]).length // as: a list of names
    expect(await channels()).toBe(10)
    expect(await redis.command('CLIENT', 'LIST', 'TYPE', 'pubsub')).toSatisfy((list: unknown) => String(list).trim().split('\n').length === 1)
    for (const stop of stops) stop()
    await eventually(channels).toBe(0)
    const again = Promise.withResolvers<void>()
    ;(await log.watch('job1', () => {}))()
    await log.watch('job1', () => again.resolve())
    await log.append('job1', 'queued', {})
    await again.promise
  })

  test('appends whose connection is cut are there once', async () => {
    const log = newLog()
    const other = newLog()
    const appended: string[] = []
    const burst = async (writer: EventLog, name: string) => {
      const events = await Promise.all(upTo(20).map((n) => writer.append('a', 'output', `${name}.${n}`)))
      appended.push(...events.map(({ id }) => id))
    }
    const cut = () => redis.command('CLIENT', 'KILL', 'TYPE', 'normal')
    for (let round = 0; round < 10; round += 1) await Promise.all([burst(log, `x${round}`), cut(), burst(other, `y${round}`)])
    const events = (await log.read('a', undefined, 1000))?.events ?? []
    expect(events.map(({ seq }) => seq)).toEqual(upTo(400))
    expect(new Set(events.map(({ id }) => id))).toEqual(new Set(appended))
    expect(new Set(events.map(({ data }) => data)).size).toBe(400)
  })

  test('an append whose answer is lost is there once, even the first and the last of a job', async () => {
    const relay = await startRelay(redis.port)
    onTestFinished(relay.close)
    const log = newLog({ url: relay.url })
    await log.append('b', 'queued', {}) // now Redis has the script
    const append = (...rest: [type: string, data: unknown, options?: { expectSeq: number }]) => {
      relay.swallowAnswer()
      return log.append('a', ...rest)
    }
    const appended = [await append('queued', {}, { expectSeq: 0 }), await append('output', 1), await append('succeeded', 'done')]
    expect(relay.swallowed()).toBe(3)
    expect(appended.map(({ seq }) => seq)).toEqual([1, 2, 3])
    expect((await log.read('a', undefined, 10))?.events).toEqual(appended)
  })

  test('an append that is tried again makes Redis read no earlier event', async () => {
    const relay = await startRelay(redis.port)
    onTestFinished(relay.close)
    const log = newLog({ url: relay.url })
    const large = 'x'.repeat(1_000_000)
    for (let n = 0; n < 20; n += 1) await log.append('a', 'output', large)
    const memory = async (name: string) => Number(new RegExp(`${name}:(\\d+)`).exec(String(await redis.command('INFO', 'memory')))?.[1])
    await redis.command('CONFIG', 'RESETSTAT')
    const before = await memory('used_memory')
    relay.swallowAnswer()
    expect(await log.append('a', 'output', 1)).toMatchObject({ seq: 21 })
    expect(relay.swallowed()).toBe(1)
    expect((await memory('used_memory_peak')) - before).toBeLessThan(10_000_000)
  })

  test('that does not answer: calls end in time, and everything goes on when it answers again', async () => {
    const log = newLog({ timeoutMs: 3000 })
    const patient = newLog()
    await patient.append('a', 'queued', {})
    const { seqs } = await follow(patient, 'a')
    await log.append('a', 'started', {})
    redis.freeze()
    const waiting = patient.append('a', 'output', 1)
    const calls = [log.append('b', 'queued', {}), log.read('a', undefined, 1), log.snapshot('a'), log.watch('c', () => {})]
    const refused = { name: 'LogError', code: 'unavailable', message: expect.stringMatching(/Redis .*\d ms/) }
    await Promise.all(calls.map((call) => expect(call).rejects.toMatchObject(refused)))
    redis.thaw()
    expect(await waiting).toMatchObject({ seq: 3 })
    await eventually(() => log.snapshot('a').catch((error) => error.code)).toMatchObject({ seq: 3 })
    await eventually(() => seqs).toEqual(upTo(3))
  })

  test('that is not there: calls reject with the cause, later ones at once; when it comes, they work', async () => {
    await redis.kill()
    const log = newLog({ timeoutMs: 3000 })
    const refused = { code: 'unavailable', message: expect.stringContaining('ECONNREFUSED'), cause: expect.any(Error) }
    const calls = [log.append('a', 'queued', {}), log.snapshot('a'), log.watch('a', () => {})]
    await Promise.all(calls.map((call) => expect(call).rejects.toMatchObject(refused)))
    await redis.start()
    await expect
      .poll(() =>
        log.append('a', 'queued', {}).then(
          ({ seq }) => seq,
          () => 0
        )
      )
      .toBe(1)
    await expect
      .poll(() =>
        log
          .watch('a', () => {})
          .then(
            () => true,
            () => false
          )
      )
      .toBe(true)
  })

  test('a clock that is set back meanwhile makes no call wait longer', async () => {
    await redis.kill()
    const log = newLog({ timeoutMs: 500 })
    await expect(log.snapshot('a')).rejects.toMatchObject({ code: 'unavailable' })
    vi.useFakeTimers({ toFake: ['Date'], now: Date.now() - 3_600_000 })
    onTestFinished(() => void vi.useRealTimers())
    await expect(log.snapshot('a')).rejects.toMatchObject({ code: 'unavailable' })
  })

  test('that refuses to write: append rejects with the reason', async () => {
    const log = newLog()
    await log.append('a', 'queued', {})
    await redis.command('CONFIG', 'SET', 'maxmemory', '1')
    for (const job of ['a', 'new'])
      await expect(log.append(job, 'started', {})).rejects.toMatchObject({ code: 'unavailable', message: expect.stringContaining('OOM') })
    expect(await log.snapshot('a')).toMatchObject({ seq: 1 })
    expect(await log.snapshot('new')).toBeUndefined()
  })

  test('that permits no PUBLISH: append rejects with the reason, and stores nothing', async () => {
    await redis.command('ACL', 'SETUSER', 'quiet', 'on', '>secret', '~*', '+@all', 'resetchannels')
    const log = newLog({ url: redis.url.replace('//', '//quiet:secret@') })
    await expect(log.append('a', 'queued', {})).rejects.toThrow(/publish|channel/)
    expect(await log.snapshot('a')).toBeUndefined()
  })

  test('that has forgotten its scripts gets them again', async () => {
    const log = newLog()
    await log.append('a', 'queued', {})
    await redis.command('SCRIPT', 'FLUSH')
    await log.append('a', 'started', {})
    expect((await log.read('a', undefined, 10))?.events).toHaveLength(2)
  })

  test('a stream stays open through an outage, and goes on', async () => {
    const { jobs, base } = await serve({ log: redisLog({ url: redis.url, timeoutMs: 3000 }), heartbeatMs: 50 })
    await jobs.publish('a', 'queued')
    const stream = await openStream(`${base}/a/events`)
    await eventually(() => stream.events()).toHaveLength(1)
    redis.freeze()
    await expect(jobs.publish('a', 'started')).rejects.toMatchObject({ code: 'unavailable' })
    expect((await fetch(`${base}/a`)).status).toBe(503)
    const beats = () => stream.text().split('\n:').length
    const before = beats()
    await eventually(beats).toBeGreaterThan(before + 2)
    redis.thaw()
    await expect
      .poll(
        () =>
          jobs.publish('a', 'succeeded').then(
            () => true,
            ({ code }) => code === 'ended'
          ),
        { timeout: 10_000 }
      )
      .toBe(true)
    await stream.ended
    expect(stream.events().at(-1)).toMatchObject({ type: 'succeeded' })
    expect(stream.controls().map(({ control }) => control)).toEqual(['hello', 'subscribed', 'done'])
  })

  describe('close', () => {
    test.each(['there', 'new', 'frozen', 'gone'])('ends every wait and leaves nothing, with a Redis that is %s', async (state) => {
      const before = resources().length
      const log = redisLog({ url: redis.url, timeoutMs: 60_000 })
      if (state === 'there' || state === 'frozen') {
        await log.append('a', 'queued', {})
        await log.watch('a', () => {})
      }
      if (state === 'frozen') redis.freeze()
      if (state === 'gone') await redis.kill()
      const calls = state === 'there' ? [] : [log.append('a', 'started', {}), log.read('a', undefined, 1), log.snapshot('a'), log.watch('b', () => {})]
      const refused = calls.map((call) => expect(call).rejects.toMatchObject({ code: 'closed' }))
      await log.close()
      await log.close()
      await Promise.all(refused)
      const later = [log.append('a', 'started', {}), log.read('a', undefined, 1), log.snapshot('a'), log.watch('a', () => {})]
      await Promise.all(later.map((call) => expect(call).rejects.toMatchObject({ code: 'closed' })))
      if (state === 'frozen') redis.thaw()
      await eventually(() => resources().length).toBeLessThanOrEqual(before)
    })

    test('of a log that was never used connects to nothing', async () => {
      const before = resources().length
      await redisLog({ url: redis.url }).close()
      expect(resources().length).toBeLessThanOrEqual(before)
    })
  })
})
