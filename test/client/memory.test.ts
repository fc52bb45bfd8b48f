/** The transport that won is remembered and starts first the next time. The memory never excludes a transport. */

import { afterEach, describe, expect, test, vi } from 'vitest'
import type { Memory } from '../../src/types.ts'
import { elapse, elapseRoughly } from './virtual-time.ts'
import { dying, failing, hanging, serving } from './virtual-transport.ts'
import { createWorld, run, useVirtualTime, type World, type WorldOptions } from './world.ts'

useVirtualTime()

const KEY = 'https://example.test/jobs'

const remembering = (entries = new Map<string, unknown>()): Memory & { entries: Map<string, unknown> } => ({
  entries,
  read: async (key) => entries.get(key),
  write: async (key, value) => void entries.set(key, value)
})

const won = (transport: string): Memory =>
  remembering(new Map([[KEY, { transport, latencyMs: 5, at: performance.timeOrigin + performance.now() - 1000, records: {} }]]))

async function follow(options: WorldOptions): Promise<World> {
  const world = createWorld(options)
  world.log.create('42')
  run(world.client.subscribe('42'))
  await elapse(100)
  return world
}

test('the winner is remembered by base URL, with its latency', async () => {
  const memory = remembering()
  const world = await follow({ memory, scripts: { websocket: hanging } })
  await elapse(500)
  expect(memory.entries.get(KEY)).toMatchObject({ transport: 'sse', latencyMs: 10 })
  expect(world.diagnosticsOf('remembered')).toMatchObject([{ transport: 'sse' }])
})

test('the remembered winner starts first, and the others stay staggered behind it', async () => {
  const world = await follow({ memory: won('long-poll'), scripts: { websocket: hanging, sse: hanging, 'long-poll': hanging, 'short-poll': hanging } })
  await elapse(1000)
  expect(world.starts).toEqual(['long-poll@0', 'websocket@250', 'sse@500', 'short-poll@750'])
  expect(world.diagnosticsOf('recalled')).toMatchObject([{ transport: 'long-poll' }])
})

test('a remembered lesser transport is replaced by a better one that delivers', async () => {
  const world = await follow({ memory: won('short-poll') })
  await elapse(400)
  expect(world.open.map(({ transport }) => transport)).toEqual(['websocket'])
  expect(world.diagnosticsOf('switched')).toMatchObject([{ from: 'short-poll', transport: 'websocket' }])
})

test('a remembered best transport starts alone', async () => {
  const world = await follow({ memory: won('websocket') })
  await elapseRoughly(2000)
  expect(world.starts).toEqual(['websocket@0'])
})

test('two clients of one page: the second knows the winner of the first', async () => {
  const memory = remembering()
  const world = await follow({ memory, scripts: { websocket: hanging } })
  await elapse(1000)
  world.transports.sse.script = serving(world.log)
  const second = world.another()
  run(second.subscribe('42'))
  await elapse(100)
  expect(world.links.at(-1)?.transport).toBe('sse')
  second.close()
})

describe('a memory that', () => {
  const never = new Promise<never>(() => {})
  const broken: Record<string, Memory['read']> = {
    throws: () => {
      throw new Error('SecurityError')
    },
    rejects: () => Promise.reject(new Error('QuotaExceededError')),
    'is empty': async () => undefined,
    'names an unknown transport': async () => ({ transport: 'carrier-pigeon', latencyMs: 1, at: performance.timeOrigin + performance.now() }),
    'has an invalid record': async () => ({ transport: { toString: 'no' }, latencyMs: 'x', at: Number.NaN }),
    'has a string as its record': async () => 'sse',
    'has a record that is too old': async () => ({ transport: 'sse', latencyMs: 1, at: performance.timeOrigin + performance.now() - 25 * 3600 * 1000 }),
    'has a record of the future': async () => ({ transport: 'sse', latencyMs: 1, at: performance.timeOrigin + performance.now() + 3600 * 1000 })
  }
  test.each(Object.entries(broken))('%s changes nothing', async (_, read) => {
    const world = await follow({ memory: { read, write: () => Promise.reject(new Error('no')) } })
    expect(world.starts).toEqual(['websocket@0'])
  })

  test('hangs delays links by 50 ms, and the first read not at all', async () => {
    const world = createWorld({ memory: { read: () => never, write: () => never } })
    world.log.fill('42', 3)
    const loop = run(world.client.subscribe('42'))
    await elapse(15)
    expect(loop.seqs).toEqual([1, 2, 3])
    expect(world.links).toEqual([])
    await elapse(100)
    expect(world.starts).toEqual(['websocket@50'])
  })

  test('hangs leaves nothing behind when everybody leaves', async () => {
    const world = createWorld({ memory: { read: () => never, write: () => never } })
    const job = world.client.subscribe('42')
    run(job)
    await elapse(5)
    job.close()
    await elapse(0)
    expect(vi.getTimerCount()).toBe(0)
    expect(world.links).toEqual([])
  })
})

test('memory: false neither reads nor writes one', async () => {
  const world = await follow({ memory: false })
  expect(world.starts).toEqual(['websocket@0'])
  expect(world.diagnosticsOf('remembered')).toEqual([])
})

describe('the demotion of a transport', () => {
  test('is remembered: the next page starts with another one', async () => {
    const memory = remembering()
    const world = createWorld({ memory })
    world.transports.websocket.script = dying(serving(world.log), 200)
    world.log.fill('42', 3)
    run(world.client.subscribe('42'))
    await elapse(3000)
    expect(world.diagnosticsOf('demoted')).toMatchObject([{ transport: 'websocket' }])
    world.client.close()

    const next = await follow({ memory })
    await elapse(6000)
    expect(next.starts).toEqual(['sse@0'])
    await elapseRoughly(120_000)
    expect(next.open.map(({ transport }) => transport)).toEqual(['websocket'])
  })

  test.each<[string, unknown]>([
    ['a string', 'bad'],
    ['a map of strings', { websocket: 'bad' }],
    ['without numbers', { websocket: { shortLives: 'x', demotedUntil: 1 } }],
    ['for ever', { websocket: { shortLives: 2, demotedUntil: 8e15 } }],
    ['until NaN', { websocket: { shortLives: 2, demotedUntil: Number.NaN } }]
  ])('is ignored where its record is %s', async (_, records) => {
    const value = { transport: 'sse', latencyMs: 5, at: performance.timeOrigin + performance.now() - 1000, records }
    const world = await follow({ memory: remembering(new Map([[KEY, value]])) })
    expect(world.starts).toEqual(['websocket@0'])
  })
})

describe('another type of network', () => {
  afterEach(() => vi.unstubAllGlobals())

  test('has its own record', async () => {
    const memory = remembering()
    const connection = Object.assign(new EventTarget(), { type: 'wifi' })
    vi.stubGlobal('navigator', { connection })
    const world = createWorld({ memory, scripts: { websocket: failing('refused') } })
    world.log.create('42')
    run(world.client.subscribe('42'))
    await elapse(100)
    expect([...memory.entries.keys()]).toEqual([`${KEY} wifi`])
    // The first network is gone, and another one is there.
    world.transports.websocket.script = serving(world.log)
    connection.type = 'cellular'
    connection.dispatchEvent(new Event('change'))
    for (const link of world.open) link.fail('cut')
    await elapse(1000)
    expect(memory.entries.get(`${KEY} cellular`)).toMatchObject({ transport: 'websocket' })
    expect(memory.entries.get(`${KEY} wifi`)).toMatchObject({ transport: 'sse' })
  })

  test('makes the client try the better transports at once', async () => {
    const connection = Object.assign(new EventTarget(), { type: 'wifi' })
    vi.stubGlobal('navigator', { connection })
    const world = createWorld({ scripts: { websocket: failing('refused') } })
    world.log.create('42')
    run(world.client.subscribe('42'))
    await elapse(1000)
    world.transports.websocket.script = serving(world.log)
    connection.dispatchEvent(new Event('change'))
    await elapse(100)
    expect(world.open.map(({ transport }) => transport)).toEqual(['websocket'])
  })
})
