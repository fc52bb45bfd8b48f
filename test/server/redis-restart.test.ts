import { describe, expect, onTestFinished, test } from 'vitest'
import { createClient } from '../../src/index.ts'
import type { EventLog } from '../../src/server/log/types.ts'
import { type RedisLogOptions, redisLog } from '../../src/server/redis/index.ts'
import { type RedisServer, redisPath, startRedis } from './redis-server.ts'
import { serve } from './serve.ts'

const ALWAYS = ['--appendonly', 'yes', '--appendfsync', 'always']
const upTo = (last: number, from = 1) => Array.from({ length: last - from + 1 }, (_, n) => n + from)

async function newRedis(options: readonly string[] = []): Promise<RedisServer> {
  const redis = await startRedis(options)
  onTestFinished(() => redis.remove())
  return redis
}

function newLog({ url }: RedisServer, options: RedisLogOptions = {}): EventLog {
  const log = redisLog({ url, timeoutMs: 30_000, ...options })
  onTestFinished(() => log.close())
  return log
}

/** Kills Redis and starts it again. It has the data of its last snapshot, or none. */
async function restart(redis: RedisServer): Promise<void> {
  await redis.kill()
  await redis.start()
}

describe.skipIf(!redisPath)('a Redis that is killed and restarted', { timeout: 60_000 }, () => {
  test('with appendfsync always and assumeNoLoss: every acknowledged append is there once, in the same epoch', async () => {
    const redis = await newRedis(ALWAYS)
    const log = newLog(redis, { assumeNoLoss: true })
    const { id: first } = await log.append('a', 'queued', {})
    const appended: string[] = [first]
    const write = async () => {
      for (let n = 2; n <= 400; n += 1) appended.push((await log.append('a', 'output', n)).id)
    }
    const writing = write()
    for (const count of [50, 200]) {
      await expect.poll(() => appended.length, { timeout: 30_000, interval: 1 }).toBeGreaterThan(count)
      await restart(redis)
    }
    await writing
    const page = await newLog(redis, { assumeNoLoss: true }).read('a', first, 1000)
    expect(page?.events.map(({ data }) => data)).toEqual(upTo(400, 2))
    expect(page?.events.map(({ id }) => id)).toEqual(appended.slice(1))
    expect(page).toMatchObject({ seq: 1, cursor: first })
  })

  test('without assumeNoLoss, the first access begins a new epoch, and every old cursor is foreign', async () => {
    const redis = await newRedis()
    const [writer, reader] = [newLog(redis), newLog(redis)]
    for (const n of upTo(10)) await writer.append('a', 'output', n)
    await redis.command('SAVE')
    const lost = []
    for (const n of upTo(15, 11)) lost.push(await writer.append('a', 'output', n))
    await restart(redis)

    const page = await reader.read('a', lost.at(-1)?.id, 100)
    expect(page).toMatchObject({ seq: 0 })
    expect(page?.events.map(({ data }) => data)).toEqual(upTo(10))
    for (const n of upTo(20, 11)) await writer.append('a', 'output', `other ${n}`)
    // Now other events would have the ids of the lost ones.
    for (const { id } of lost) expect(await writer.read('a', id, 100)).toMatchObject({ seq: 0, epoch: page?.epoch })
    expect(await writer.snapshot('a')).toMatchObject({ seq: 20, epoch: page?.epoch })
    expect(lost[0]?.id.startsWith(`${page?.epoch}-`)).toBe(false)
  })

  test('so does a first append, and one by processes that have never seen the job', async () => {
    const redis = await newRedis()
    const before = newLog(redis)
    await before.append('a', 'output', 1)
    await redis.command('SAVE')
    const { id } = await before.append('a', 'output', 2)
    await before.close()
    await restart(redis)
    const after = newLog(redis)
    const other = await after.append('a', 'output', 'other 2')
    expect(other.seq).toBe(2)
    expect(other.id).not.toBe(id)
    expect(await after.read('a', id, 10)).toMatchObject({ seq: 0, events: [{ data: 1 }, { data: 'other 2' }] })
    expect((await after.append('a', 'output', 3)).id).toBe(other.id.replace(/2$/, '3'))
  })

  test('with assumeNoLoss, but after a loss: a log that has seen more events begins a new epoch', async () => {
    const redis = await newRedis()
    const [writer, reader] = [newLog(redis, { assumeNoLoss: true }), newLog(redis, { assumeNoLoss: true })]
    for (const n of upTo(3)) await writer.append('a', 'output', n)
    await redis.command('SAVE')
    const { id } = await writer.append('a', 'output', 4)
    expect((await reader.read('a', undefined, 10))?.events).toHaveLength(4)
    await restart(redis)
    const page = await reader.read('a', id, 10)
    expect(page).toMatchObject({ seq: 0, events: [{ data: 1 }, { data: 2 }, { data: 3 }] })
    expect(id.startsWith(`${page?.epoch}-`)).toBe(false)
    expect(await writer.append('a', 'output', 'other 4')).toMatchObject({ seq: 4, id: `${page?.epoch}-4` })
  })

  test('that has lost the whole job', async () => {
    const redis = await newRedis()
    const log = newLog(redis)
    const { id } = await log.append('a', 'queued', {})
    await restart(redis)
    expect(await log.snapshot('a')).toBeUndefined()
    expect(await log.read('a', id, 10)).toBeUndefined()
    const fresh = await log.append('a', 'queued', {}, { expectSeq: 0 })
    expect(fresh.id).not.toBe(id)
    expect(await log.read('a', id, 10)).toMatchObject({ seq: 0, events: [fresh] })
  })

  test('a client goes on, and lost events are a gap, never silence', async () => {
    const redis = await newRedis()
    const { jobs, base } = await serve({ log: redisLog({ url: redis.url, timeoutMs: 30_000 }) })
    const client = createClient({ url: base, memory: false, retry: { baseMs: 10 } })
    onTestFinished(() => client.close())
    const seen: unknown[] = []
    const following = (async () => {
      for await (const { type, data } of client.subscribe('a')) seen.push(type === 'output' ? data : type)
    })()
    for (const n of upTo(3)) await jobs.publish('a', 'output', n)
    await redis.command('SAVE')
    await jobs.publish('a', 'output', 'lost')
    await expect.poll(() => seen, { timeout: 30_000 }).toEqual([1, 2, 3, 'lost'])
    await restart(redis)
    await jobs.publish('a', 'output', 4)
    await jobs.publish('a', 'succeeded', {})
    await following
    expect(seen).toEqual([1, 2, 3, 'lost', 'gap', 1, 2, 3, 4, 'succeeded'])
  })

  test('a client goes on without a gap or repeats where nothing was lost', async () => {
    const redis = await newRedis(ALWAYS)
    const { jobs, base } = await serve({ log: redisLog({ url: redis.url, assumeNoLoss: true, timeoutMs: 30_000 }) })
    const client = createClient({ url: base, memory: false, retry: { baseMs: 10 } })
    onTestFinished(() => client.close())
    const seen: unknown[] = []
    const following = (async () => {
      for await (const { type, data } of client.subscribe('a')) seen.push(type === 'output' ? data : type)
    })()
    for (const n of upTo(100)) {
      await jobs.publish('a', 'output', n)
      if (n % 40 === 0) await restart(redis)
    }
    await jobs.publish('a', 'succeeded', {})
    await following
    expect(seen).toEqual([...upTo(100), 'succeeded'])
  })
})
