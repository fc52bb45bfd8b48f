/** Observables, by the real RxJS, over a client in virtual time. */

import {
  catchError,
  config,
  defer,
  firstValueFrom,
  from,
  lastValueFrom,
  map,
  merge,
  type Observable,
  of,
  retry,
  Subject,
  shareReplay,
  switchMap,
  take,
  takeUntil,
  timer,
  toArray
} from 'rxjs'
import { describe, expect, expectTypeOf, test, vi } from 'vitest'
import { toObservable } from '../src/rxjs.ts'
import type { JobEvent, JobState } from '../src/types.ts'
import { elapse, settle } from './client/virtual-time.ts'
import { createWorld, expectNothingLeft, upTo, useVirtualTime } from './client/world.ts'

useVirtualTime()

describe('a subscription', () => {
  test('is its events, and ends with the job', async () => {
    const world = createWorld()
    world.log.fill('42', 3)
    world.log.append('42', 'succeeded', 7)
    const events = from(toObservable(world.client.subscribe<{ succeeded: number }>('42')))
    expectTypeOf(events).toEqualTypeOf<Observable<JobEvent<{ succeeded: number }>>>()
    const all = lastValueFrom(events.pipe(map(({ seq }) => seq), toArray())) // biome-ignore format: one pipe
    await elapse(100)
    await expect(all).resolves.toEqual(upTo(4))
    await expectNothingLeft(world)
  })

  test('unsubscribed from while it waits is let go of at once', async () => {
    const world = createWorld()
    world.log.fill('42', 3)
    const seen: number[] = []
    const complete = vi.fn()
    const subscription = from(toObservable(world.client.subscribe('42'))).subscribe({ next: ({ seq }) => seen.push(seq), complete, error: complete })
    await elapse(100)
    expect(seen).toEqual(upTo(3))
    expect(world.open).toHaveLength(1)
    subscription.unsubscribe()
    await expectNothingLeft(world)
    world.log.fill('42', 5)
    await elapse(100)
    expect(seen).toEqual(upTo(3))
    expect(complete).not.toHaveBeenCalled()
  })

  test('unsubscribed from in the same task requests nothing', async () => {
    const world = createWorld()
    from(toObservable(world.client.subscribe('42')))
      .subscribe()
      .unsubscribe()
    await elapse(100)
    expect(world.links).toEqual([])
    await expectNothingLeft(world)
  })

  test('works with operators that leave it: take, takeUntil, switchMap', async () => {
    const world = createWorld()
    for (const job of ['1', '2', '3', '4']) world.log.fill(job, 3)
    const events = (job: string) => from(toObservable(world.client.subscribe(job)))
    const seen = { take: [] as number[], switch: [] as string[] }
    events('1').pipe(take(2)).subscribe(({ seq }) => seen.take.push(seq)) // biome-ignore format: one pipe
    events('2').pipe(takeUntil(timer(50))).subscribe() // biome-ignore format: one pipe
    const switched = merge(of('3'), timer(100).pipe(map(() => '4'))).pipe(switchMap(events)).subscribe(({ job }) => seen.switch.push(job)) // biome-ignore format: one pipe
    await elapse(300)
    expect(seen.take).toEqual([1, 2])
    expect(seen.switch).toEqual(['3', '3', '3', '4', '4', '4'])
    expect(world.open.flatMap((link) => link.jobs.map(({ job }) => job))).toEqual(['4'])
    switched.unsubscribe()
    await expectNothingLeft(world)
  })

  test('fails as its loop does, and at a second subscriber', async () => {
    const world = createWorld({ unknownJobGraceMs: 0 })
    const observable = from(toObservable(world.client.subscribe('unknown')))
    const failing = expect(lastValueFrom(observable)).rejects.toMatchObject({ code: 'unknown-job' })
    const second = expect(lastValueFrom(observable)).rejects.toThrow('subscribe again')
    await elapse(500)
    await Promise.all([failing, second])
  })
})

describe('a job', () => {
  test('is its states, now and later, for any number of subscribers, over one connection', async () => {
    const world = createWorld()
    world.log.fill('42', 3)
    const states = from(toObservable(world.client.job<{ succeeded: number }>('42')))
    expectTypeOf(states).toEqualTypeOf<Observable<JobState<{ succeeded: number }>>>()
    const all = [1, 2].map(() => lastValueFrom(states.pipe(map(({ status }) => status), toArray()))) // biome-ignore format: one pipe
    await elapse(100)
    expect(world.links).toHaveLength(1)
    world.log.append('42', 'succeeded', 7)
    await elapse(50)
    for (const each of await Promise.all(all)) {
      expect(each[0]).toBe('unknown')
      expect([...new Set(each)]).toEqual(['unknown', 'running', 'succeeded'])
    }
    await expect(lastValueFrom(states)).resolves.toMatchObject({ status: 'succeeded', result: 7 })
    await expectNothingLeft(world)
  })

  test('is let go of as the last one leaves', async () => {
    const world = createWorld()
    world.log.fill('42', 3)
    const states = from(toObservable(world.client.job('42')))
    const [first, second] = [states.subscribe(), states.subscribe()]
    await elapse(100)
    first.unsubscribe()
    await settle()
    expect(world.open).toHaveLength(1)
    second.unsubscribe()
    await expectNothingLeft(world)
    await expect(firstValueFrom(states)).resolves.toMatchObject({ status: 'running' })
    await expectNothingLeft(world)
  })

  test('fails where following fails, and where the client is closed', async () => {
    const world = createWorld({ unknownJobGraceMs: 0 })
    world.log.fill('42', 3)
    const unknown = expect(lastValueFrom(from(toObservable(world.client.job('unknown'))))).rejects.toMatchObject({ code: 'unknown-job' })
    const closed = expect(lastValueFrom(from(toObservable(world.client.job('42'))))).rejects.toMatchObject({ code: 'closed' })
    await elapse(500)
    await unknown
    world.client.close()
    await elapse(10)
    await closed
  })
})

describe('leaving in the middle of a value', () => {
  test('take(1) of a state that is known, and unsubscribe in the first next', async () => {
    const world = createWorld()
    world.log.fill('42', 3)
    const states = from(toObservable(world.client.job('42')))
    const seen: string[] = []
    states.pipe(take(1)).subscribe(({ status }) => seen.push(status)) // biome-ignore format: one pipe
    const stop = new Subject<void>()
    states.pipe(takeUntil(stop)).subscribe(({ status }) => {
      seen.push(status)
      stop.next()
    })
    await elapse(100)
    expect(seen).toEqual(['unknown', 'unknown'])
    await expectNothingLeft(world)
  })

  test('take(1) of events, and an observer that leaves at the first, get no second', async () => {
    const world = createWorld()
    world.log.fill('42', 5)
    const seen: number[] = []
    from(toObservable(world.client.subscribe('42'))).pipe(take(1)).subscribe(({ seq }) => seen.push(seq)) // biome-ignore format: one pipe
    const own = toObservable(world.client.subscribe('42')).subscribe({
      next({ seq }) {
        seen.push(seq)
        own.unsubscribe()
      }
    })
    await elapse(100)
    expect(seen).toEqual([1, 1])
    await expectNothingLeft(world)
  })

  test('the end that its observer leaves in', async () => {
    const world = createWorld()
    world.log.append('42', 'succeeded', 7)
    const told: string[] = []
    const own = toObservable(world.client.job('42')).subscribe({
      next({ status }) {
        told.push(status)
        if (status === 'succeeded') own.unsubscribe()
      },
      complete: () => told.push('complete')
    })
    await elapse(100)
    expect(told).toEqual(['unknown', 'succeeded'])
    await expectNothingLeft(world)
  })

  test('unsubscribed twice, and after the end', async () => {
    const world = createWorld()
    world.log.append('42', 'succeeded', 7)
    const both = [toObservable(world.client.job('42')).subscribe({}), toObservable(world.client.subscribe('42')).subscribe({})]
    await elapse(100)
    for (const each of [...both, ...both]) each.unsubscribe()
    await expectNothingLeft(world)
  })
})

describe('operators', () => {
  test('shareReplay with a count of its subscribers is one connection, and lets go with the last', async () => {
    const world = createWorld()
    world.log.fill('42', 3)
    const events = from(toObservable(world.client.subscribe('42'))).pipe(shareReplay({ bufferSize: 2, refCount: true }))
    const seen: number[][] = [[], []]
    const first = events.subscribe(({ seq }) => seen[0]?.push(seq))
    await elapse(100)
    const second = events.subscribe(({ seq }) => seen[1]?.push(seq))
    expect(seen).toEqual([upTo(3), [2, 3]])
    first.unsubscribe()
    await elapse(50)
    expect(world.open).toHaveLength(1)
    second.unsubscribe()
    await expectNothingLeft(world)
  })

  test('retry with defer follows anew, and catchError gets the reason', async () => {
    const world = createWorld({ unknownJobGraceMs: 0 })
    let tries = 0
    const events = defer(() => {
      tries += 1
      if (tries === 3) world.log.append('late', 'succeeded', 7)
      return from(toObservable(world.client.subscribe('late')))
    })
    const all = lastValueFrom(events.pipe(retry({ count: 5, delay: 100 }), map(({ type }) => type), toArray())) // biome-ignore format: one pipe
    const caught = lastValueFrom(from(toObservable(world.client.subscribe('never'))).pipe(catchError((error) => of(error.code)))) // biome-ignore format: one pipe
    await elapse(1500)
    expect(await all).toEqual(['succeeded'])
    expect(tries).toBe(3)
    expect(await caught).toBe('unknown-job')
  })

  test('what an observer throws does not end another’s', async () => {
    const world = createWorld()
    world.log.fill('42', 1)
    const seen: string[] = []
    const reported: unknown[] = []
    config.onUnhandledError = (error) => void reported.push(error)
    const states = from(toObservable(world.client.job('42')))
    states.subscribe(({ status }) => {
      throw new Error(status)
    })
    states.subscribe(({ status }) => seen.push(status))
    await elapse(100)
    world.log.append('42', 'succeeded', 7)
    await elapse(100)
    expect(seen.at(-1)).toBe('succeeded')
    expect(reported.length).toBeGreaterThan(1)
    config.onUnhandledError = null
  })
})
