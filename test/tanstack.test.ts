/** A job as a query, by the real TanStack Query, over a client in virtual time. */

import { dehydrate, hydrate, QueryClient, QueryObserver, type QueryObserverOptions, skipToken } from '@tanstack/query-core'
import { queryOptions, useQuery } from '@tanstack/react-query'
import { afterEach, describe, expect, expectTypeOf, onTestFinished, test } from 'vitest'
import { jobQuery } from '../src/tanstack.ts'
import type { JobState } from '../src/types.ts'
import { elapse } from './client/virtual-time.ts'
import { createWorld, expectNothingLeft, useVirtualTime, type World } from './client/world.ts'

const caches: QueryClient[] = []
// First, so that the caches' timers are gone when what is left is counted: hooks after a test run last to first.
useVirtualTime()
afterEach(() => {
  for (const cache of caches.splice(0)) cache.clear()
})

function createCache(): QueryClient {
  const cache = new QueryClient({ defaultOptions: { queries: { gcTime: Infinity } } })
  caches.push(cache)
  return cache
}

const query = ({ client }: World, id = '42') => jobQuery<{ succeeded: number }>(client, id)
const requests = ({ http }: World): string[] => http.asked.map(({ resource }) => resource)

/** What an observer is shown. */
function observe(cache: QueryClient, options: ReturnType<typeof query>) {
  const observer = new QueryObserver(cache, options)
  const leave = observer.subscribe(() => {})
  onTestFinished(leave)
  return { observer, leave, shown: () => observer.getCurrentResult() }
}

describe('the query', () => {
  test('is pending, then has the state while it fetches, then the end', async () => {
    const world = createWorld()
    world.log.fill('42', 3)
    const { shown } = observe(createCache(), query(world))
    expect(shown()).toMatchObject({ status: 'pending', fetchStatus: 'fetching', data: undefined })
    await elapse(100)
    expect(shown()).toMatchObject({ status: 'success', fetchStatus: 'fetching', data: { status: 'running', progress: { current: 3 } } })
    expect(shown().data).toBe(world.client.job('42').state)
    world.log.append('42', 'succeeded', 7)
    await elapse(50)
    expect(shown()).toMatchObject({ status: 'success', fetchStatus: 'idle', data: { status: 'succeeded', result: 7 } })
    await expectNothingLeft(world)
  })

  test('has the types of the job', () => {
    const world = createWorld()
    type State = JobState<{ succeeded: number }>
    const use = () => useQuery(query(world)).data // never called: it is of a component
    expectTypeOf(use).returns.toEqualTypeOf<State | undefined>()
    expectTypeOf(() => useQuery(queryOptions(query(world))).data).returns.toEqualTypeOf<State | undefined>()
    expectTypeOf((cache: QueryClient) => cache.fetchQuery(query(world))).returns.resolves.toEqualTypeOf<State>()
  })

  test('shares one connection among observers, caches, and those without TanStack Query', async () => {
    const world = createWorld()
    world.log.fill('42', 3)
    const cache = createCache()
    observe(cache, query(world))
    observe(cache, query(world))
    observe(createCache(), query(world))
    world.client.job('42').subscribe(() => {})
    await elapse(100)
    expect(requests(world)).toEqual(['snapshot'])
    expect(world.links).toHaveLength(1)
  })

  test('a failed job is data; failed delivery is an error, and a refetch tries again', async () => {
    const world = createWorld({ unknownJobGraceMs: 0 })
    world.log.append('42', 'failed', { code: 'no-disk', message: 'full' })
    const cache = createCache()
    const [failed, unknown] = [observe(cache, query(world)), observe(cache, query(world, 'unknown'))]
    await elapse(500)
    expect(failed.shown()).toMatchObject({ status: 'success', data: { status: 'failed', error: { code: 'no-disk' } } })
    expect(unknown.shown()).toMatchObject({ status: 'error', fetchStatus: 'idle', failureCount: 1, error: { code: 'unknown-job' } })
    world.log.append('unknown', 'succeeded', 7)
    void unknown.observer.refetch()
    await elapse(500)
    expect(unknown.shown()).toMatchObject({ status: 'success', data: { result: 7 }, error: null })
  })

  test('of a closed client fails, and is not left pending', async () => {
    const world = createWorld()
    world.log.fill('42', 3)
    const { shown } = observe(createCache(), query(world))
    await elapse(100)
    world.client.close()
    await elapse(10)
    expect(shown()).toMatchObject({ status: 'error', error: { code: 'closed' } })
  })
})

describe('a query that is left', () => {
  test('while the job runs ends to follow it; who comes back has what was known, and follows again', async () => {
    const world = createWorld()
    world.log.fill('42', 3)
    const cache = createCache()
    const { leave } = observe(cache, query(world))
    await elapse(100)
    leave()
    await expectNothingLeft(world)
    expect(cache.getQueryState(query(world).queryKey)).toMatchObject({ fetchStatus: 'idle', data: { status: 'running', progress: { current: 3 } } })
    world.log.fill('42', 5)
    const { shown } = observe(cache, query(world))
    expect(shown()).toMatchObject({ status: 'success', fetchStatus: 'fetching', data: { progress: { current: 3 } } })
    await elapse(100)
    expect(shown()).toMatchObject({ data: { progress: { current: 5 } } })
    expect(requests(world)).toEqual(['snapshot'])
  })

  test('in the task in which it was entered (StrictMode) costs nothing', async () => {
    const world = createWorld()
    world.log.fill('42', 3)
    const cache = createCache()
    observe(cache, query(world)).leave()
    observe(cache, query(world))
    await elapse(100)
    expect(requests(world)).toEqual(['snapshot'])
    expect(world.links).toHaveLength(1)
  })

  test('is cancelled by cancelQueries', async () => {
    const world = createWorld()
    world.log.fill('42', 3)
    const cache = createCache()
    const { shown } = observe(cache, query(world))
    await elapse(100)
    await cache.cancelQueries({ queryKey: ['jobtail'] })
    await expectNothingLeft(world)
    expect(shown()).toMatchObject({ fetchStatus: 'idle', data: { status: 'running' } })
  })
})

describe('a refetch', () => {
  test('of a job that runs resets nothing, and costs nothing', async () => {
    const world = createWorld()
    world.log.fill('42', 3)
    const cache = createCache()
    const { observer, shown } = observe(cache, query(world))
    await elapse(100)
    const { data } = shown()
    void observer.refetch({ cancelRefetch: true })
    await elapse(0)
    expect(shown().data).toBe(data)
    await elapse(100)
    expect(requests(world)).toEqual(['snapshot'])
    world.log.fill('42', 5)
    await elapse(20)
    expect(shown().data?.progress).toEqual({ current: 5 })
  })

  test('of an ended job asks nobody, and neither does a later observer', async () => {
    const world = createWorld()
    world.log.append('42', 'succeeded', 7)
    const cache = createCache()
    const { observer, leave, shown } = observe(cache, query(world))
    await elapse(100)
    await observer.refetch()
    leave()
    const later = observe(cache, query(world))
    expect(later.shown()).toMatchObject({ fetchStatus: 'idle', data: { status: 'succeeded' } })
    expect(shown().data).toMatchObject({ result: 7 })
    expect(requests(world)).toEqual(['snapshot'])
  })
})

describe('a snapshot of the server', () => {
  test('is the data at once, and the job is followed from there', async () => {
    const world = createWorld()
    world.log.fill('42', 3)
    const initial = world.log.snapshot('42')
    world.log.fill('42', 5)
    const { shown } = observe(createCache(), jobQuery<{ succeeded: number }>(world.client, '42', { initial }))
    expect(shown()).toMatchObject({ status: 'success', fetchStatus: 'fetching', data: { status: 'running', progress: { current: 3 } } })
    await elapse(100)
    expect(shown().data?.progress).toEqual({ current: 5 })
    expect(requests(world)).toEqual([])
  })

  test('of an ended job asks nobody', async () => {
    const world = createWorld()
    world.log.append('42', 'succeeded', 7)
    const { shown } = observe(createCache(), jobQuery(world.client, '42', { initial: world.log.snapshot('42') }))
    await elapse(100)
    expect(shown()).toMatchObject({ status: 'success', fetchStatus: 'idle', data: { result: 7 } })
    expect(world.http.asked).toEqual([])
  })
})

test('an invalid id is refused where the query is made', () => {
  expect(() => query(createWorld(), '')).toThrow('job id: expected')
})

describe('what applications do with it', () => {
  test('an id that is not known yet: skipToken, then the job, then another', async () => {
    const world = createWorld()
    world.log.fill('42', 3)
    world.log.append('43', 'succeeded', 7)
    const cache = createCache()
    const any = (options: object) => options as QueryObserverOptions // as: one observer of several queries
    const none = any({ queryKey: ['none'], queryFn: skipToken })
    const observer = new QueryObserver(cache, none)
    onTestFinished(observer.subscribe(() => {}))
    await elapse(50)
    expect(observer.getCurrentResult()).toMatchObject({ status: 'pending', fetchStatus: 'idle' })
    expect(world.links).toEqual([])
    observer.setOptions(any(query(world)))
    await elapse(100)
    expect(observer.getCurrentResult()).toMatchObject({ data: { status: 'running' } })
    observer.setOptions(any(query(world, '43')))
    expect(observer.getCurrentResult().data).toBeUndefined()
    await elapse(100)
    expect(observer.getCurrentResult()).toMatchObject({ data: { status: 'succeeded' } })
    observer.setOptions(none)
    await expectNothingLeft(world)
  })

  test('disabled, then enabled, after the end', async () => {
    const world = createWorld()
    world.log.append('42', 'succeeded', 7)
    const cache = createCache()
    const { observer, shown } = observe(cache, { ...query(world), enabled: false } as ReturnType<typeof query>)
    await elapse(50)
    expect(world.http.asked).toEqual([])
    observer.setOptions(query(world))
    await elapse(100)
    expect(shown()).toMatchObject({ status: 'success', data: { status: 'succeeded', result: 7 } })
  })

  test('invalidated again and again while the job runs', async () => {
    const world = createWorld()
    world.log.fill('42', 3)
    const cache = createCache()
    const { shown } = observe(cache, query(world))
    await elapse(100)
    for (let time = 0; time < 20; time += 1) {
      void cache.invalidateQueries({ queryKey: ['jobtail'] })
      await elapse(5)
    }
    world.log.append('42', 'succeeded', 7)
    await elapse(100)
    expect(shown()).toMatchObject({ status: 'success', fetchStatus: 'idle', data: { result: 7 } })
    expect(world.links).toHaveLength(1)
  })

  test('reset and removed while the job runs', async () => {
    const world = createWorld()
    world.log.fill('42', 3)
    const cache = createCache()
    const { shown } = observe(cache, query(world))
    await elapse(100)
    void cache.resetQueries({ queryKey: ['jobtail'] })
    await elapse(100)
    expect(shown()).toMatchObject({ status: 'success', fetchStatus: 'fetching', data: { status: 'running' } })
    world.log.append('42', 'succeeded', 7)
    await elapse(100)
    expect(shown()).toMatchObject({ fetchStatus: 'idle', data: { result: 7 } })
  })

  test('thrown away by the cache after its time, and looked at again', async () => {
    const world = createWorld()
    world.log.fill('42', 3)
    const cache = createCache()
    const options = { ...query(world), gcTime: 1000 }
    observe(cache, options).leave()
    await elapse(100)
    const { leave } = observe(cache, options)
    await elapse(100)
    leave()
    await elapse(1100)
    expect(cache.getQueryCache().getAll()).toEqual([])
    world.log.append('42', 'succeeded', 7)
    const { shown } = observe(cache, options)
    await elapse(100)
    expect(shown()).toMatchObject({ data: { result: 7 } })
  })

  test('fetchQuery and ensureQueryData wait for the end, and have the error of a job that cannot be followed', async () => {
    const world = createWorld({ unknownJobGraceMs: 0 })
    world.log.fill('42', 3)
    const cache = createCache()
    const fetched = cache.fetchQuery(query(world))
    const failing = expect(cache.fetchQuery(query(world, 'unknown'))).rejects.toMatchObject({ code: 'unknown-job' })
    await elapse(100)
    world.log.append('42', 'succeeded', 7)
    await elapse(100)
    expect(await fetched).toMatchObject({ status: 'succeeded', result: 7 })
    expect(await cache.ensureQueryData(query(world))).toMatchObject({ result: 7 })
    await elapse(500)
    await failing
  })

  test('a fetch that is cancelled before anything is known is left, and rejects', async () => {
    const world = createWorld()
    world.log.fill('42', 3)
    const cache = createCache()
    const fetched = expect(cache.fetchQuery(query(world))).rejects.toThrow()
    await elapse(5)
    await cache.cancelQueries()
    await fetched
    await expectNothingLeft(world)
  })

  test('stored as JSON and restored: the job is followed from the start, and shown meanwhile', async () => {
    const world = createWorld()
    world.log.fill('42', 3)
    const before = createCache()
    observe(before, query(world))
    await elapse(100)
    const text = JSON.stringify(dehydrate(before))
    const cache = createCache()
    hydrate(cache, JSON.parse(text))
    world.log.append('42', 'failed', { code: 'no-disk', message: 'full' })
    const { shown } = observe(cache, query({ ...world, client: world.another() }))
    expect(shown()).toMatchObject({ status: 'success', fetchStatus: 'fetching', data: { status: 'running' } })
    await elapse(100)
    expect(shown()).toMatchObject({ fetchStatus: 'idle', data: { status: 'failed', error: { code: 'no-disk' } } })
  })
})
