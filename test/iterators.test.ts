/** Helpers for loops, over a real client's subscriptions in virtual time. */

import { describe, expect, test } from 'vitest'
import { takeUntil, throttleLatest } from '../src/iterators.ts'
import { elapse } from './client/virtual-time.ts'
import { createWorld, expectNothingLeft, upTo, useVirtualTime } from './client/world.ts'

useVirtualTime()

/** What a loop gets, and how it ends. */
function collect<T>(iterable: AsyncIterable<T>): { values: T[]; outcome: Promise<unknown>; isOver: boolean } {
  const loop = { values: [] as T[], outcome: Promise.resolve() as Promise<unknown>, isOver: false }
  const read = async (): Promise<unknown> => {
    try {
      for await (const each of iterable) loop.values.push(each)
      return 'ended'
    } catch (error) {
      return error
    } finally {
      loop.isOver = true
    }
  }
  loop.outcome = read()
  return loop
}

describe('takeUntil', () => {
  test('ends the loop without an error as the signal aborts, while it waits, and lets go of the job', async () => {
    const world = createWorld()
    world.log.fill('42', 3)
    const controller = new AbortController()
    const loop = collect(takeUntil(world.client.subscribe('42'), controller.signal))
    await elapse(100)
    expect(loop.values.map(({ seq }) => seq)).toEqual(upTo(3))
    controller.abort(new Error('not wanted'))
    await expect(loop.outcome).resolves.toBe('ended')
    await expectNothingLeft(world)
  })

  test('that has aborted before begins nothing', async () => {
    const world = createWorld()
    world.log.fill('42', 3)
    const loop = collect(takeUntil(world.client.subscribe('42'), AbortSignal.abort()))
    await expect(loop.outcome).resolves.toBe('ended')
    expect(loop.values).toEqual([])
    expect(world.http.asked).toEqual([])
  })

  test('ends with the job, and throws what the loop would throw; a break lets go', async () => {
    const world = createWorld({ unknownJobGraceMs: 0 })
    world.log.append('42', 'succeeded', 7)
    world.log.fill('43', 3)
    const { signal } = new AbortController()
    const [ended, failed] = ['42', 'unknown'].map((job) => collect(takeUntil(world.client.subscribe(job), signal)))
    const breaking = (async () => {
      for await (const event of takeUntil(world.client.subscribe('43'), signal)) return event.seq
      return 0
    })()
    await elapse(500)
    await expect(ended?.outcome).resolves.toBe('ended')
    await expect(failed?.outcome).resolves.toMatchObject({ code: 'unknown-job' })
    await expect(breaking).resolves.toBe(1)
    await expectNothingLeft(world)
  })
})

describe('throttleLatest', () => {
  test('yields progress at once, then the latest in each span; all else at once, in order', async () => {
    const world = createWorld({ firstLook: false })
    world.log.append('42', 'started')
    const loop = collect(throttleLatest(world.client.subscribe('42'), 100))
    const tell = (): string => loop.values.map(({ seq }) => seq).join(' ')
    await elapse(50)
    world.log.fill('42', 5) // progress 2 to 5
    await elapse(20)
    expect(tell()).toBe('1 2')
    await elapse(90)
    expect(tell()).toBe('1 2 5')
    world.log.fill('42', 8)
    await elapse(20)
    world.log.append('42', 'output', 'text')
    await elapse(10)
    expect(tell()).toBe('1 2 5 8 9')
    world.log.append('42', 'progress', { ratio: 1 })
    world.log.append('42', 'succeeded')
    await elapse(10)
    expect(tell()).toBe('1 2 5 8 9 10 11')
    await expect(loop.outcome).resolves.toBe('ended')
    await expectNothingLeft(world)
  })

  test('at 0 ms leaves out nothing; for ever, all progress but the first and the last', async () => {
    const world = createWorld({ firstLook: false })
    world.log.fill('42', 7)
    const loops = [0, Infinity].map((ms) => collect(throttleLatest(world.client.subscribe('42'), ms)))
    await elapse(500)
    world.log.fill('42', 9)
    await elapse(500)
    expect(loops.map(({ values }) => values.length)).toEqual([9, 1])
    world.log.append('42', 'succeeded')
    await elapse(100)
    expect(loops.map(({ values }) => values.map(({ seq }) => seq))).toEqual([upTo(10), [1, 9, 10]])
    expect(loops.every(({ isOver }) => isOver)).toBe(true)
  })

  test('throws what the loop would throw while it holds progress back', async () => {
    const world = createWorld({ firstLook: false })
    world.log.fill('42', 3)
    const controller = new AbortController()
    const loop = collect(throttleLatest(world.client.subscribe('42', { signal: controller.signal }), 10_000))
    await elapse(100)
    expect(loop.values).toHaveLength(1)
    controller.abort('left')
    await expect(loop.outcome).resolves.toBe('left')
    await expectNothingLeft(world)
  })

  test.each([-1, Number.NaN])('refuses %d ms', async (ms) => {
    const world = createWorld()
    await expect(throttleLatest(world.client.subscribe('42'), ms).next()).rejects.toThrow(`throttleLatest: ms: expected a number from 0, got ${ms}`)
  })
})
