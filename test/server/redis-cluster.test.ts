import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest'
import { slotOf } from '../../src/server/redis/cluster-nodes.ts'
import { redisLog } from '../../src/server/redis/index.ts'
import { describeEventLog } from '../../src/testing/event-log.ts'
import { SLOTS, startCluster } from './redis-cluster.ts'
import { type RedisServer, redisPath } from './redis-server.ts'

describe.skipIf(!redisPath)('with a Redis Cluster', { timeout: 60_000 }, () => {
  const nodes: RedisServer[] = []
  let logs = 0
  const urls = () => nodes.map(({ url }) => url)
  /** The node that has a job's slot in the beginning. */
  const owner = (job: string) => Math.floor((slotOf(`{${job}}`) * 3) / SLOTS)
  beforeAll(() => startCluster(nodes), 60_000)
  afterAll(() => Promise.all(nodes.map((node) => node.remove())))

  describeEventLog('redis cluster', { create: ({ maxEvents }) => redisLog({ url: urls()[0] ?? '', prefix: `log ${++logs}:`, maxEvents, timeoutMs: 20_000 }) })

  test('a job goes on while its slot moves to another node', async () => {
    const log = redisLog({ url: urls(), timeoutMs: 20_000, prefix: 'moving:' })
    onTestFinished(() => log.close())
    const slot = String(slotOf('{a}'))
    const from = nodes[owner('a')]
    const to = nodes.find((node) => node !== from)
    if (!to || !from) throw new Error('too few nodes')
    const idOf = async (node: RedisServer) => String(await node.command('CLUSTER', 'MYID'))
    await to.command('CLUSTER', 'SETSLOT', slot, 'IMPORTING', await idOf(from))
    await from.command('CLUSTER', 'SETSLOT', slot, 'MIGRATING', await idOf(to))
    // One node redirects for keys that it doesn't have; the other answers TRYAGAIN while it has only some of the keys.
    const waiting = log.append('a', 'queued', {})
    await expect.poll(async () => String(await to.command('INFO', 'errorstats')), { timeout: 10_000 }).toContain('TRYAGAIN')
    for (const node of [to, from]) await node.command('CLUSTER', 'SETSLOT', slot, 'NODE', await idOf(to))
    expect(await waiting).toMatchObject({ seq: 1 })
    expect(await log.append('a', 'succeeded', {})).toMatchObject({ seq: 2 })
    expect(Number(await to.command('EXISTS', 'moving:{a}:state'))).toBe(1)
  })

  test('jobs are spread over the nodes, and a node that is gone makes only its own jobs unavailable', async () => {
    const log = redisLog({ url: urls(), timeoutMs: 3000, prefix: 'spread:' })
    const listener = redisLog({ url: [...urls()].reverse(), prefix: 'spread:' })
    const knowing = redisLog({ url: urls(), timeoutMs: 3000, prefix: 'spread:' })
    onTestFinished(() => Promise.all([log.close(), listener.close(), knowing.close()]).then(() => {}))
    const jobs = Array.from({ length: 30 }, (_, n) => `job${n}`)
    let woken = 0
    for (const job of jobs) {
      await listener.watch(job, () => {
        woken += 1
      })
      await log.append(job, 'queued', {})
    }
    for (const node of nodes) expect(Number(await node.command('DBSIZE'))).toBeGreaterThan(0)
    await expect.poll(() => woken, { timeout: 30_000 }).toBe(30)
    const [one = '', other = ''] = jobs.filter((job) => owner(job) === 1)
    for (const job of [one, other]) expect(await knowing.snapshot(job)).toMatchObject({ seq: 1 })

    await nodes[1]?.kill()
    const found = { there: new Set<unknown>(), gone: new Set<unknown>() }
    for (const job of jobs) {
      const seq = await log.snapshot(job).then(
        (snapshot) => snapshot?.seq,
        ({ code }) => code
      )
      found[owner(job) === 1 ? 'gone' : 'there'].add(seq)
    }
    expect(found).toEqual({ there: new Set([1]), gone: new Set(['unavailable']) })

    // Another node takes over the slots. A log that can't reach the old node asks the others.
    await expect(knowing.snapshot(one)).rejects.toMatchObject({ code: 'unavailable' })
    await nodes[0]?.command('CLUSTER', 'SETSLOT', String(slotOf(`{${other}}`)), 'NODE', String(await nodes[0].command('CLUSTER', 'MYID')))
    expect(await knowing.snapshot(other)).toBeUndefined()
    expect(await knowing.append(other, 'queued', {})).toMatchObject({ seq: 1 })
  })
})

test('the slot is computed by the Redis Cluster specification', () => {
  expect(slotOf('123456789')).toBe(0x31c3)
  expect(slotOf('a{123456789}b{c}')).toBe(0x31c3)
  expect(slotOf('{}123')).not.toBe(slotOf('{}124'))
})
