/** Observables, by the real RxJS, over a client in virtual time. */

import { firstValueFrom, from, lastValueFrom, map, merge, type Observable, of, switchMap, take, takeUntil, timer, toArray } from 'rxjs'
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
