import { execFile } from 'node:child_process'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest'
import type { EventLog } from '../../src/server/log/types.ts'
import { type RedisLogOptions, redisLog } from '../../src/server/redis/index.ts'
import type { JobServerOptions } from '../../src/server/server-options.ts'
import { openSocket, openStream } from './clients.ts'
import { type RedisServer, redisPath, startRedis } from './redis-server.ts'
import { serve } from './serve.ts'

const run = promisify(execFile)

describe.skipIf(!redisPath)('several processes on one Redis', () => {
  let redis: RedisServer
  beforeAll(async () => {
    redis = await startRedis()
  })
  afterAll(() => redis.remove())

  const newLog = (options: RedisLogOptions = {}): EventLog => {
    const log = redisLog({ url: redis.url, timeoutMs: 20_000, ...options })
    onTestFinished(() => log.close())
    return log
  }
  const newNode = (options: JobServerOptions = {}) => serve({ log: redisLog({ url: redis.url, timeoutMs: 20_000 }), ...options })

  test('appends to one job leave no hole and no repeat, and keep the order of each process', { timeout: 60_000 }, async () => {
    const names = ['a', 'b', 'c']
    const writer = join(import.meta.dirname, 'redis-writer.ts')
    const outputs = await Promise.all(names.map((name) => run(process.execPath, [writer, redis.url, 'shared', name, '300'])))
    const acknowledged = outputs.flatMap(({ stdout }): string[] => JSON.parse(stdout))
    const page = await newLog().read('shared', undefined, 10_000)
    const events = page?.events ?? []
    expect(events.map(({ seq }) => seq)).toEqual(Array.from({ length: 900 }, (_, n) => n + 1))
    expect(new Set(events.map(({ id }) => id))).toEqual(new Set(acknowledged))
    for (const name of names) {
      const own = events.map(({ data }) => String(data)).filter((data) => data.startsWith(name))
      expect(own).toEqual(Array.from({ length: 300 }, (_, n) => `${name} ${n}`))
    }
  })

  test('an event that one appends reaches the readers of another', async () => {
    const [writer, reader] = [await newNode(), await newNode()]
    await writer.jobs.publish('followed', 'queued')
    const stream = await openStream(`${reader.base}/followed/events`)
    const socket = openSocket(`${reader.base}/followed/events`)
    for (const each of [stream, socket]) await expect.poll(() => each.events()).toHaveLength(1)
    for (let n = 0; n < 100; n += 1) await writer.jobs.publish('followed', 'output', n)
    await writer.jobs.publish('followed', 'succeeded')
    const expected = Array.from({ length: 102 }, (_, n) => n + 1)
    for (const each of [stream, socket]) await expect.poll(() => each.events().map(({ seq }) => seq)).toEqual(expected)
  })

  test('an event appended elsewhere while a follower connects is not missed', { timeout: 60_000 }, async () => {
    const [writer, reader] = [await newNode(), await newNode()]
    for (let round = 0; round < 200; round += 1) {
      const job = `met${round}`
      const { id } = await writer.jobs.publish(job, 'queued')
      const appended = new Promise((resolve) => setImmediate(resolve)).then(() => writer.jobs.publish(job, 'succeeded'))
      const { events } = await reader.read(`/${job}/events?after=${id}&wait=55`)
      expect(events).toEqual([await appended])
    }
  })

  test('a cancel at one stops the work at another', async () => {
    const [worker, other] = [await newNode(), await newNode()]
    const started = Promise.withResolvers<void>()
    const running = worker.jobs.run('cancelled', async ({ signal }) => {
      started.resolve()
      await new Promise((_, reject) => signal.addEventListener('abort', () => reject(signal.reason)))
    })
    const stopped = expect(running).rejects.toThrow(/was cancelled/)
    await started.promise
    expect((await other.post('/cancelled/cancel')).status).toBe(202)
    await stopped
    expect(await (await other.get('/cancelled')).json()).toMatchObject({ status: 'cancelled' })
    const { events } = await other.read('/cancelled/events')
    expect(events.map(({ type }) => type)).toEqual(['queued', 'started', 'cancelling', 'cancelled'])
  })

  test('an Idempotency-Key counts at all of them, even at the same time', async () => {
    let runs = 0
    const start = () => {
      runs += 1
    }
    const nodes = [await newNode({ start }), await newNode({ start }), await newNode({ start })]
    const ask = (body: string) => nodes.map((node) => node.post('', body, { 'idempotency-key': 'k1' }))
    const answers = await Promise.all([...ask('{"n":1}'), ...ask('{"n":1}')])
    const ids = await Promise.all(answers.map(async (answer) => ((await answer.json()) as { id: string }).id))
    expect(answers.map(({ status }) => status)).toEqual(Array(6).fill(202))
    expect(new Set(ids).size).toBe(1)
    for (const answer of await Promise.all(ask('{"n":2}'))) expect(answer.status).toBe(422)
    await expect.poll(async () => (await nodes[0]?.get(`/${ids[0]}`))?.json()).toMatchObject({ status: 'succeeded' })
    expect(runs).toBe(1)
  })

  test('readers of one event share one read', async () => {
    const log = newLog()
    await log.append('read', 'queued', {})
    const [one, two] = await Promise.all([log.read('read', undefined, 10), log.read('read', undefined, 10)])
    expect(one).toBe(two)
    await log.append('read', 'started', {})
    expect((await log.read('read', undefined, 10))?.events).toHaveLength(2)
  })

  test('a job that has not ended is kept for idleTtlMs after its last event, one with a lease for ttlMs more', async () => {
    const log = newLog({ ttlMs: 60_000, idleTtlMs: 7_200_000, prefix: 'idle:' })
    const minutes = async () =>
      Promise.all(['state', 'events'].map(async (part) => Math.ceil(Number(await redis.command('PTTL', `idle:{a}:${part}`)) / 60_000)))
    await log.append('a', 'queued', {})
    expect(await minutes()).toEqual([120, 120])
    await log.append('a', 'started', {}, { lease: { owner: 'x', ms: 60_000 } })
    expect(await minutes()).toEqual([2, 2])
    await log.append('a', 'cancelling', {})
    expect(await minutes()).toEqual([2, 2])
    await log.renew('a', 'x', 240_000)
    expect(await minutes()).toEqual([5, 5])
    await log.renew('a', 'x', 0)
    expect(await minutes()).toEqual([120, 120])
  })

  test('keeps the latest events within maxBytes of data, and the last one in any case', async () => {
    const log = newLog({ maxBytes: 1000, prefix: 'bytes:' })
    for (let n = 1; n <= 100; n += 1) await log.append('a', 'output', 'x'.repeat(98))
    expect((await log.read('a', undefined, 1000))?.events.map(({ seq }) => seq)).toEqual(Array.from({ length: 10 }, (_, n) => n + 91))
    await log.append('a', 'output', 'x'.repeat(2000))
    expect(await log.read('a', undefined, 1000)).toMatchObject({ seq: 100, events: [{ seq: 101 }] })
  })

  test('a job is kept for ttlMs after its end, then is gone for as long, then unknown', async () => {
    const log = newLog({ ttlMs: 60_000, idleTtlMs: Number.POSITIVE_INFINITY, prefix: 'ttl:' })
    const ttl = async (part: string) => Number(await redis.command('PTTL', `ttl:{a}:${part}`))
    await log.append('a', 'queued', {})
    expect([await ttl('state'), await ttl('events')]).toEqual([-1, -1])
    const { id } = await log.append('a', 'succeeded', 1)
    for (const part of ['state', 'events']) expect(Math.ceil((await ttl(part)) / 60_000)).toBe(1)
    expect(Math.ceil((await ttl('gone')) / 60_000)).toBe(2)

    await redis.command('DEL', 'ttl:{a}:state', 'ttl:{a}:events') // what Redis does when they expire, without the wait
    await expect(log.snapshot('a')).rejects.toMatchObject({ code: 'history-gone' })
    await expect(log.read('a', id, 1)).rejects.toMatchObject({ code: 'history-gone' })
    const fresh = await log.append('a', 'queued', {}, { expectSeq: 0 })
    expect(await log.read('a', id, 10)).toMatchObject({ seq: 0, events: [fresh] })
    await redis.command('DEL', 'ttl:{a}:state', 'ttl:{a}:events', 'ttl:{a}:gone')
    expect(await log.snapshot('a')).toBeUndefined()
  })

  test('a ttlMs of Infinity keeps a job for ever, and 0 drops it at once', async () => {
    const [forever, never] = [newLog({ ttlMs: Number.POSITIVE_INFINITY, prefix: 'ever:' }), newLog({ ttlMs: 0, prefix: 'never:' })]
    await forever.append('a', 'succeeded', 1)
    expect(await redis.command('PTTL', 'ever:{a}:state')).toBe(-1)
    await never.append('a', 'succeeded', 1)
    await expect.poll(() => never.snapshot('a').catch((error) => error.code)).toSatisfy((found) => found === 'history-gone' || found === undefined)
  })

  test('a timeoutMs longer than any timer waits as long as a timer can', async () => {
    const log = newLog({ timeoutMs: Number.POSITIVE_INFINITY })
    expect(await log.append('patient', 'queued', {})).toMatchObject({ seq: 1 })
  })

  test('a limit of Infinity is no limit', async () => {
    const log = newLog()
    for (let n = 1; n <= 3; n += 1) await log.append('unlimited', 'progress', { n })
    expect(await log.read('unlimited', undefined, Number.POSITIVE_INFINITY)).toMatchObject({ events: [{ seq: 1 }, { seq: 2 }, { seq: 3 }], more: false })
  })

  test('keeps exactly maxEvents', async () => {
    const log = newLog({ maxEvents: 3 })
    for (let n = 1; n <= 10; n += 1) await log.append('trimmed', 'progress', { n })
    expect(await log.read('trimmed', undefined, 100)).toMatchObject({ seq: 7, events: [{ seq: 8 }, { seq: 9 }, { seq: 10 }] })
  })

  test.each(['}', '{', '{}', 'a}b{c', '%7D', 'ü/ \n'])('the keys of the job %j share a hash tag', async (job) => {
    const prefix = `tag${encodeURIComponent(job)}:`
    const log = newLog({ prefix })
    await log.append(job, 'succeeded', {})
    const keys = (await redis.command('KEYS', `${prefix}*`)) as string[] // as: a list of names
    expect(keys).toHaveLength(3)
    expect(new Set(keys.map((key) => /\{([^}]+)\}/.exec(key)?.[1]))).toEqual(new Set([encodeURIComponent(job)]))
  })
})

test.each([
  ['maxEvents', { maxEvents: 0 }],
  ['ttlMs', { ttlMs: -1 }],
  ['timeoutMs', { timeoutMs: Number.NaN }],
  ['url', { url: [] }],
  ['url', { url: '' }],
  ['url', { url: 'localhost:6379' }],
  ['url', { url: ['redis://localhost', 'redis://localhost:secret'] }]
])('an invalid %s is refused: %j', (name, options) => {
  expect(() => redisLog(options)).toThrow(new RegExp(`^${name}: expected(?!.*secret)`))
})
