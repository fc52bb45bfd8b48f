import { afterAll, beforeAll, describe, expect, onTestFinished, test, vi } from 'vitest'
import { createClusterNodes } from '../../src/server/redis/cluster-nodes.ts'
import { redisLog } from '../../src/server/redis/index.ts'
import { type RedisServer, redisPath, startRedis } from './redis-server.ts'
import { serve } from './serve.ts'

/** The rights that docs/API.md lists, for the prefix `jobtail:`. */
const DOCUMENTED =
  'resetchannels -@all +hello +auth +ping +script|load +eval +evalsha +time +hmget +hset +del +exists +set +pexpire +xadd +xdel +xlen +xrange +xrevrange +publish +subscribe +unsubscribe +info ~jobtail:* &jobtail:*'

describe.skipIf(!redisPath)('Redis in operation', { timeout: 60_000 }, () => {
  let redis: RedisServer
  let users = 0
  beforeAll(async () => {
    redis = await startRedis()
  })
  afterAll(() => redis.remove())

  /** A log whose user has these rights. */
  async function logOf(rules: string) {
    users += 1
    const username = `user${users}`
    await redis.command('ACL', 'SETUSER', username, 'on', '>secret', ...rules.split(' '))
    return redisLog({ url: redis.url, clientOptions: { username, password: 'secret' }, timeoutMs: 2000 })
  }

  async function served(rules: string) {
    return serve({ log: await logOf(rules) })
  }

  test.each([
    ['every command that is not dangerous', '+@all -@dangerous ~* &*'],
    ['the same and INFO', '+@all -@dangerous +info resetchannels ~jobtail:* &jobtail:*'],
    ['those in docs/API.md', DOCUMENTED],
    ['those without INFO', DOCUMENTED.replace('+info ', '')]
  ])('a user with these rights is enough: %s', async (_, rules) => {
    const { jobs } = await served(rules)
    expect(await jobs.health()).toEqual({ status: 'ok' })
    const woken = Promise.withResolvers<void>()
    const id = `acl${users}`
    const stop = await jobs.log.watch(id, () => woken.resolve())
    await jobs.run(id, async (job) => {
      await job.progress({ ratio: 0.5 })
      await job.output({ n: 1 })
    })
    await woken.promise
    stop()
    await jobs.log.append(`${id}-leased`, 'started', {}, { lease: { owner: 'me', ms: 10_000 }, appendId: 'a' })
    await jobs.log.append(`${id}-leased`, 'started', {}, { lease: { owner: 'me', ms: 10_000 }, appendId: 'a' })
    expect(await jobs.log.renew(`${id}-leased`, 'me', 10_000)).toBe(true)
    await jobs.log.reset(`${id}-leased`)
    expect(await jobs.log.snapshot(id)).toMatchObject({ status: 'succeeded' })
  })

  test.each([
    ['no channel', '+@all ~* resetchannels', /allowed to (subscribe|publish) to the channel "jobtail:.*&jobtail:\*/],
    ['no key', '+@all resetkeys ~other:* &*', /allowed to use the key "jobtail:.*~jobtail:\*/],
    ['no XADD', '+@all -xadd ~* &*', /allowed to use the command XADD/],
    ['no scripts', '+@all -eval -evalsha ~* &*', /allowed to use the command EVALSHA/]
  ])('a user with %s: health reports it, and the missing right', async (_, rules, message) => {
    const { jobs } = await served(rules)
    expect(await jobs.health()).toMatchObject({ status: 'failing', error: { message: expect.stringMatching(message) } })
  })

  test('a start that Redis refuses is reported to `onError`, with the command', async () => {
    const errors: unknown[] = []
    const { post } = await serve({ log: await logOf('+@all -publish ~* &*'), start: () => {}, onError: (error) => errors.push(error) })
    expect((await post('')).status).toBe(500)
    expect(errors[0]).toMatchObject({ message: expect.stringMatching(/allowed to use the command PUBLISH: jobtail needs/) })
  })

  test("full memory, and a replica: health tries to write, and reports why it can't", async () => {
    const own = await startRedis(['--maxmemory', '1'])
    onTestFinished(() => own.remove())
    const { jobs } = await serve({ log: redisLog({ url: own.url, timeoutMs: 2000 }) })
    expect(await jobs.health()).toMatchObject({ status: 'failing', error: { message: expect.stringMatching(/out of memory \(maxmemory\)/) } })
    await own.command('CONFIG', 'SET', 'maxmemory', '0')
    expect(await jobs.health()).toEqual({ status: 'ok' })
    await own.command('REPLICAOF', '127.0.0.1', String(redis.port))
    expect(await jobs.health()).toMatchObject({ status: 'failing', error: { message: expect.stringMatching(/read-only replica/) } })
  })

  test('a Redis that evicts keys causes a warning', async () => {
    const own = await startRedis(['--maxmemory', '100mb', '--maxmemory-policy', 'allkeys-lru'])
    onTestFinished(() => own.remove())
    const { jobs } = await serve({ log: redisLog({ url: own.url }) })
    expect(await jobs.health()).toEqual({ status: 'ok', warnings: [expect.stringMatching(/expected maxmemory-policy noeviction, got allkeys-lru/)] })
    await own.command('CONFIG', 'SET', 'maxmemory-policy', 'noeviction')
    expect(await jobs.health()).toEqual({ status: 'ok' })
  })

  test('health leaves nothing behind', async () => {
    const own = await startRedis()
    onTestFinished(() => own.remove())
    const { jobs } = await serve({ log: redisLog({ url: own.url }) })
    for (let n = 0; n < 5; n += 1) await jobs.health()
    expect(Number(await own.command('DBSIZE'))).toBe(0)
    expect(await own.command('PUBSUB', 'CHANNELS', '*health*')).toEqual([])
  })

  test('a node that is gone for long is no longer dialled, until a redirection names it', async () => {
    const dialled: (string | undefined)[] = []
    const places = createClusterNodes({
      timeoutMs: 50,
      clients: {
        open(address) {
          dialled.push(address)
          throw new Error('gone')
        }
      }
    })
    onTestFinished(() => places.close())
    places.learn('{a}', 'old:1')
    await expect(places.find('{a}').client()).rejects.toMatchObject({ code: 'unavailable' })
    const known = places.at('old:1')
    await vi.waitFor(() => expect(places.at('old:1')).not.toBe(known), { timeout: 10_000 })
    expect(places.find('{a}')).not.toBe(known)
  })
})

test('the user in the documents has the rights of this test', async () => {
  const { readFile } = await import('node:fs/promises')
  const text = (await readFile(new URL('../../docs/API.md', import.meta.url), 'utf8')).replaceAll(/\\\n\s*/g, '')
  expect(text).toContain(`ACL SETUSER jobtail on >password ${DOCUMENTED}`)
})
