/** The store that every binding stands on, over a client in virtual time: each change as a page without frames sees it. */

import { describe, expect, test } from 'vitest'
import { createJobStore, type FollowOptions, type JobStore } from '../../src/binding/job-store.ts'
import { jobSource } from '../../src/binding/source.ts'
import type { JobSnapshot } from '../../src/index.ts'
import { elapse } from '../client/virtual-time.ts'
import { createWorld, expectNothingLeft, useVirtualTime, type World } from '../client/world.ts'

useVirtualTime()

/** A store whose callbacks write down what they are told. */
function open({ client }: World, options: FollowOptions = {}, id = '42') {
  const told: string[] = []
  const latest: { current: FollowOptions } = {
    current: { ...options, onEvent: ({ type }) => void told.push(type), onEnd: ({ status }) => void told.push(`end ${status}`) }
  }
  const store: JobStore<object> = createJobStore<object>(client, id, options, latest)
  return { store, told, latest, shown: () => store.state() }
}

describe('following that has failed', () => {
  test('is tried again by whoever comes back, and its error is gone once it works', async () => {
    const world = createWorld({ unknownJobGraceMs: 0 })
    const { store, told } = open(world)
    const leave = store.subscribeWithEvents(() => {})
    await elapse(500)
    expect(store.state()).toMatchObject({ status: 'unknown', isPending: false, error: { code: 'unknown-job' } })
    leave()
    world.log.fill('42', 3)
    const leaveAgain = store.subscribeWithEvents(() => {})
    await elapse(100)
    expect(store.state()).toMatchObject({ status: 'running', isPending: true, error: undefined })
    world.log.append('42', 'succeeded', 7)
    await elapse(50)
    expect(told).toEqual(['progress', 'progress', 'progress', 'succeeded', 'end succeeded'])
    expect(store.state()).toMatchObject({ status: 'succeeded', isPending: false, error: undefined })
    leaveAgain()
  })
})

describe('onEnd', () => {
  test('that leaves is the last that is called', async () => {
    const world = createWorld()
    world.log.fill('42', 3)
    const { store, told, latest } = open(world)
    const calls: string[] = []
    latest.current = {
      onEnd() {
        calls.push('end')
        leave()
      }
    }
    const leave = store.subscribe(() => calls.push(store.state().status))
    await elapse(100)
    world.log.append('42', 'succeeded', 7)
    await elapse(50)
    expect(calls.at(-1)).toBe('end')
    expect(told).toEqual([])
    await expectNothingLeft(world)
  })

  test('is called where `onEvent` came too late to be called', async () => {
    const world = createWorld()
    world.log.fill('42', 1)
    const told: string[] = []
    const options: FollowOptions = { onEnd: ({ status }) => void told.push(status) }
    const source = jobSource(options)(world.client, () => {})
    source.follow('42')
    await elapse(100)
    options.onEvent = ({ type }) => void told.push(type)
    world.log.append('42', 'succeeded', 7)
    await elapse(100)
    expect(told).toEqual(['succeeded'])
    source.follow(undefined)
  })

  test('is called once where the job has ended while nobody followed', async () => {
    const world = createWorld()
    world.log.fill('42', 1)
    const { store, told } = open(world)
    store.subscribeWithEvents(() => {})()
    world.log.append('42', 'succeeded', 7)
    for (let time = 0; time < 3; time += 1) {
      const leave = store.subscribeWithEvents(() => {})
      await elapse(100)
      leave()
    }
    expect(told).toEqual(['progress', 'succeeded', 'end succeeded'])
  })
})

const ended: JobSnapshot = { id: '42', status: 'succeeded', epoch: 'e', seq: 3, cursor: 'e-3', result: 7 }

describe('`initial`', () => {
  test('older than what the page knows is shown for the first render alone', async () => {
    const world = createWorld()
    world.log.fill('42', 3)
    const initial = world.log.snapshot('42')
    world.log.fill('42', 5)
    const leaveFirst = world.client.job('42').subscribe(() => {})
    await elapse(100)
    const { store } = open(world, { initial })
    expect([store.atServer().progress, store.state().progress]).toEqual([{ current: 3 }, { current: 5 }])
    leaveFirst()
  })
  test('newer than what the page knows moves it on', async () => {
    const world = createWorld()
    world.log.fill('42', 3)
    const first = open(world)
    const leave = first.store.subscribe(() => {})
    await elapse(100)
    leave()
    await elapse(10)
    world.log.fill('42', 5)
    const { store } = open(world, { initial: world.log.snapshot('42') })
    expect([store.state().progress, first.store.state().progress]).toEqual([{ current: 5 }, { current: 5 }])
  })
  test('of an ended job that the server has forgotten stays the end', async () => {
    const world = createWorld({ unknownJobGraceMs: 0 })
    const told: string[] = []
    const store = createJobStore(world.client, '42', { initial: ended }, { current: { onEnd: ({ status }) => void told.push(status) } })
    const leave = store.subscribe(() => {})
    await elapse(100)
    expect(store.state()).toMatchObject({ status: 'succeeded', result: 7, isPending: false })
    expect(told).toEqual(['succeeded'])
    expect(world.http.asked).toEqual([])
    leave()
  })

  test('of an ended job that the server has forgotten: an error of the events alone is shown, though the state stays as it was', async () => {
    const world = createWorld({ unknownJobGraceMs: 0 })
    const { store, told } = open(world, { initial: ended })
    const leave = store.subscribeWithEvents(() => {})
    const before = store.state()
    expect(before).toMatchObject({ status: 'succeeded', error: undefined })
    await elapse(1000)
    expect(told).toEqual(['end succeeded'])
    expect(store.state()).toMatchObject({ status: 'succeeded', result: 7, isPending: false, error: { code: 'unknown-job' } })
    expect(world.client.job('42').state.error).toBeUndefined()
    leave()
  })
})
