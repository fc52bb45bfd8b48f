/** The list of the jobs that this browser follows: what comes into it, what leaves it, and where it is kept. */

import { describe, expect, test, vi } from 'vitest'
import { createClient } from '../../src/core.ts'
import type { ErrorControl } from '../../src/protocol/frames.ts'
import type { Client, JobStorage } from '../../src/types.ts'
import { elapse } from './virtual-time.ts'
import { createWorld, run, useVirtualTime, type World } from './world.ts'

useVirtualTime()

const KEY = 'jobs https://example.test/jobs '
const idsOf = (client: Client): string[] => client.jobs().state.map(({ id }) => id)

/** A storage that keeps copies, as IndexedDB does, and answers in a later task. */
function createStorage(kept: Record<string, unknown> = {}): JobStorage & { kept: Record<string, unknown> } {
  return {
    kept,
    async update(key, change) {
      await Promise.resolve()
      const value = change(structuredClone(kept[key]))
      if (value === undefined) delete kept[key]
      else kept[key] = structuredClone(value)
      return structuredClone(value)
    }
  }
}

/** The jobs that a page of this world's browser finds. */
async function found(world: World, options: Parameters<World['another']>[0] = {}): Promise<string[]> {
  const client = world.another(options)
  client.jobs().subscribe(() => {})()
  await elapse(1)
  client.close()
  return idsOf(client)
}

test('a thousand jobs that begin at once are written together', async () => {
  const storage = createStorage()
  const update = vi.spyOn(storage, 'update')
  const world = createWorld({ jobStorage: storage })
  for (let job = 1; job <= 1000; job += 1) {
    world.log.fill(`${job}`, 1)
    world.client.job(`${job}`).subscribe(() => {})
  }
  await elapse(2000)
  expect(idsOf(world.client)).toHaveLength(100)
  expect(update.mock.calls.length).toBeLessThan(20) // a list of jobs has a hundred, so they come in parts
})

describe('a job is in the list', () => {
  test('once it is started', async () => {
    const world = createWorld()
    const started = world.client.start({})
    await elapse(50)
    await started
    expect(world.client.jobs().state).toEqual([{ id: 'started-1', since: expect.closeTo(Date.now(), -3) }])
  })

  test.each(['subscribe', 'job'] as const)('once a reader of `%s` is told that it runs, and until it ends', async (what) => {
    const world = createWorld({ jobStorage: createStorage() })
    world.log.fill('42', 3)
    if (what === 'job') world.client.job('42').subscribe(() => {})
    else run(world.client.subscribe('42'))
    expect(idsOf(world.client)).toEqual([])
    await elapse(100)
    expect(idsOf(world.client)).toEqual(['42'])
    expect(await found(world)).toEqual(['42'])
    world.log.append('42', 'failed')
    await elapse(50)
    expect(idsOf(world.client)).toEqual([])
    expect(await found(world)).toEqual([])
  })

  test('never, where it has ended already, is unknown, or nobody reads', async () => {
    const jobStorage = { update: vi.fn(createStorage().update) }
    const world = createWorld({ jobStorage, unknownJobGraceMs: 0 })
    world.log.fill('1', 3)
    world.log.append('1', 'succeeded')
    world.log.fill('3', 1)
    const seen = vi.fn()
    world.client.jobs().subscribe(seen)
    for (const job of ['1', '2']) world.client.job(job).subscribe(() => {})
    run(world.client.subscribe('1'))
    world.client.job('3')
    world.client.subscribe('3')
    await elapse(500)
    expect(world.client.job('2').state.error).toMatchObject({ code: 'unknown-job' })
    expect(seen).not.toHaveBeenCalled()
    expect(idsOf(world.client)).toEqual([])
  })

  test.each([
    [403, 'forbidden', []],
    [404, 'unknown-job', []],
    [410, 'gone', []],
    [401, 'unauthorized', ['42']]
  ])('from an earlier page, and the server says %i %s: it is then %j', async (status, code, left) => {
    const jobStorage = createStorage({ [KEY]: [{ id: '42', since: Date.now() }] })
    const refusal: ErrorControl = { control: 'error', job: '42', status, code, message: 'no' }
    const world = createWorld({ jobStorage, unknownJobGraceMs: 0, firstLook: false, scripts: { websocket: (link) => link.push(refusal) } })
    run(world.client.subscribe('42'))
    await elapse(100)
    expect(await found(world)).toEqual(left)
  })
})

describe('the list', () => {
  test('is one object, is frozen, keeps its identity, and tells its listeners', async () => {
    const world = createWorld()
    const list = world.client.jobs()
    const before = list.state
    const seen = vi.fn()
    const { subscribe } = list
    const leave = subscribe(seen)
    expect(world.client.jobs()).toBe(list)
    world.log.fill('1', 1)
    world.client.job('1').subscribe(() => {})
    await elapse(100)
    expect(seen).toHaveBeenCalledOnce()
    expect(list.state).not.toBe(before)
    expect([list.state, ...list.state].every(Object.isFrozen)).toBe(true)
    const [first] = list.state
    const { state } = list
    world.open[0]?.fail('cut')
    await elapse(500)
    expect(list.state).toBe(state)
    world.log.fill('2', 1)
    world.client.job('2').subscribe(() => {})
    await elapse(100)
    expect(idsOf(world.client)).toEqual(['2', '1'])
    expect(list.state[1]).toBe(first)
    seen.mockClear()
    leave()
    world.log.append('1', 'succeeded')
    await elapse(50)
    expect(seen).not.toHaveBeenCalled()
    expect(idsOf(world.client)).toEqual(['2'])
  })

  test('has no more than 100 jobs, the newest, and none older than a week', async () => {
    const day = 24 * 3600 * 1000
    const kept = Array.from({ length: 150 }, (_, index) => ({ id: `${index}`, since: Date.now() - (150 - index) * (day / 15) }))
    const world = createWorld({ jobStorage: createStorage({ [KEY]: kept }) })
    const list = await found(world)
    expect(list).toHaveLength(100)
    expect(list[0]).toBe('149')
    vi.setSystemTime(Date.now()) // the clock of the pages is performance's
    await vi.advanceTimersByTimeAsync(6.5 * day)
    expect((await found(world)).length).toBeLessThan(10)
  })

  test.each<[string, unknown]>([
    ['text', 'jobs'],
    ['an object', { length: 3 }],
    [
      'another list',
      [null, 7, '1', {}, { id: 1, since: 1 }, { id: '1' }, { id: '1', since: 'now' }, { id: '1', since: Number.NaN }, { id: '1', since: Infinity }]
    ],
    [
      'what cannot be followed',
      [
        { id: '..', since: Date.now() },
        { id: '', since: Date.now() },
        { id: 'x'.repeat(300), since: Date.now() }
      ]
    ],
    [
      'what is from another century',
      [
        { id: '1', since: 0 },
        { id: '2', since: Date.now() * 2 }
      ]
    ]
  ])('takes nothing from a storage that has %s, and goes on', async (_, value) => {
    const world = createWorld({ jobStorage: createStorage({ [KEY]: value }) })
    expect(await found(world)).toEqual([])
    world.log.fill('42', 1)
    run(world.client.subscribe('42'))
    await elapse(100)
    expect(await found(world)).toEqual(['42'])
  })

  test('takes each job once, and drops what else is stored with it', async () => {
    const since = Date.now()
    const world = createWorld({ jobStorage: createStorage({ [KEY]: [1, 2].map((extra) => ({ id: '42', since, extra })) }) })
    world.client.jobs().subscribe(() => {})
    await elapse(1)
    expect(world.client.jobs().state).toEqual([{ id: '42', since }])
  })
})

describe('several pages', () => {
  test('that add and remove at once lose nothing', async () => {
    const world = createWorld({ jobStorage: createStorage() })
    const pages = [world.client, world.another(), world.another()]
    for (const job of ['1', '2', '3', '4']) world.log.fill(job, 1)
    for (const [index, page] of pages.entries()) page.job(`${index + 1}`).subscribe(() => {})
    await elapse(100)
    world.log.append('2', 'succeeded')
    world.client.job('4').subscribe(() => {})
    await elapse(100)
    expect((await found(world)).sort()).toEqual(['1', '3', '4'])
    for (const page of pages) page.close()
  })

  test('keep the time at which the first one came', async () => {
    const world = createWorld({ jobStorage: createStorage() })
    world.log.fill('42', 1)
    run(world.client.subscribe('42'))
    await elapse(100)
    const { state } = world.client.jobs()
    const later = world.another()
    await elapse(500)
    run(later.subscribe('42'))
    await elapse(100)
    expect(later.jobs().state).toEqual(state)
    later.close()
  })

  test('see what others did when they are seen again', async () => {
    const world = createWorld({ jobStorage: createStorage() })
    const document = new EventTarget()
    vi.stubGlobal('document', document)
    const other = world.another()
    const leave = other.jobs().subscribe(() => {})
    world.log.fill('42', 1)
    run(world.client.subscribe('42'))
    await elapse(100)
    expect(idsOf(other)).toEqual([])
    document.dispatchEvent(new Event('visibilitychange'))
    await elapse(1)
    expect(idsOf(other)).toEqual(['42'])
    leave()
    world.log.append('42', 'succeeded')
    await elapse(50)
    document.dispatchEvent(new Event('visibilitychange'))
    await elapse(1)
    expect(idsOf(other)).toEqual(['42'])
    vi.unstubAllGlobals()
    other.close()
  })
})

describe('whose list it is', () => {
  test.each<[string, object, string | undefined]>([
    ['of nobody in particular', {}, KEY],
    ['of a user', { identity: 'ann' }, `${KEY}ann`],
    ['of a user with a token', { identity: 'ann', token: 's3cret' }, `${KEY}ann`],
    ['of whoever has the token', { token: 's3cret' }, undefined],
    ['of whoever has the headers', { headers: { 'x-user': 'ann' } }, undefined],
    ['of a user without a name', { identity: '', token: () => 's3cret' }, undefined],
    ['of nobody, by `jobStorage: false`', { identity: 'ann', jobStorage: false }, undefined]
  ])('%s', async (_, options, key) => {
    const jobStorage = createStorage()
    const world = createWorld({ jobStorage, ...options })
    world.log.fill('42', 1)
    world.client.job('42').subscribe(() => {})
    await elapse(100)
    expect(idsOf(world.client)).toEqual(['42'])
    expect(Object.keys(jobStorage.kept)).toEqual(key === undefined ? [] : [key])
    expect(JSON.stringify(jobStorage.kept)).not.toContain('s3cret')
  })

  test('forget empties this one and no other, here and in the storage', async () => {
    const jobStorage = createStorage()
    const world = createWorld({ jobStorage, identity: 'ann' })
    const bob = world.another({ identity: 'bob' })
    for (const job of ['1', '2']) world.log.fill(job, 1)
    world.client.job('1').subscribe(() => {})
    bob.job('2').subscribe(() => {})
    await elapse(100)
    const seen = vi.fn()
    world.client.jobs().subscribe(seen)
    await world.client.forget()
    await elapse(1)
    expect(idsOf(world.client)).toEqual([])
    expect(seen).toHaveBeenCalled()
    expect(Object.keys(jobStorage.kept)).toEqual([`${KEY}bob`])
    expect(idsOf(bob)).toEqual(['2'])
    bob.close()
  })

  test('is a text', () => {
    expect(() => createClient({ transports: [], identity: 7 } as object as Parameters<typeof createClient>[0])).toThrow('identity: expected string, got 7')
    expect(() => createClient({ transports: [], jobStorage: {} } as object as Parameters<typeof createClient>[0])).toThrow(
      'jobStorage: expected false or object with methods update'
    )
  })
})

describe('a storage that', () => {
  test.each<[string, JobStorage]>([
    ['never answers', { update: () => new Promise(() => {}) }],
    ['rejects', { update: async () => Promise.reject(new Error('full')) }],
    [
      'throws',
      {
        update() {
          throw new Error('forbidden')
        }
      }
    ]
  ])('%s leaves a list of this page', async (_, jobStorage) => {
    const world = createWorld({ jobStorage })
    for (const job of ['1', '2']) world.log.fill(job, 1)
    world.client.jobs().subscribe(() => {})
    for (const job of ['1', '2']) world.client.job(job).subscribe(() => {})
    await elapse(100)
    expect(idsOf(world.client).sort()).toEqual(['1', '2'])
    world.log.append('1', 'succeeded')
    await elapse(50)
    expect(idsOf(world.client)).toEqual(['2'])
  })

  test('fails says so to `forget`, and the list is empty', async () => {
    const world = createWorld({ jobStorage: { update: async () => Promise.reject(new Error('full')) } })
    world.log.fill('1', 1)
    world.client.job('1').subscribe(() => {})
    await elapse(100)
    await expect(world.client.forget()).rejects.toThrow('full')
    expect(idsOf(world.client)).toEqual([])
  })

  test('never answers says so to `forget` within seconds, and the list is empty', async () => {
    const world = createWorld({ jobStorage: { update: () => new Promise(() => {}) } })
    world.log.fill('1', 1)
    world.client.job('1').subscribe(() => {})
    await elapse(100)
    world.client.close()
    const forgotten = world.client.forget()
    forgotten.catch(() => {})
    await elapse(5000)
    await expect(forgotten).rejects.toThrow('no answer within 5000 ms')
    expect(idsOf(world.client)).toEqual([])
  })
})
