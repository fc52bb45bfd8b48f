import { describe, expect, test, vi } from 'vitest'
import { macrotask } from '../src/async/clock.ts'
import type { JobSnapshot, WireEvent } from '../src/protocol/frames.ts'
import { statusAfter } from '../src/protocol/status.ts'
import { type AnyState, createStore, terminalEventOf } from '../src/state.ts'

describe('the store', () => {
  test('begins with what is known: where to go on from', () => {
    expect(createStore({ lastEventId: 'a-4' }).state).toEqual({
      status: 'unknown',
      progress: undefined,
      result: undefined,
      error: undefined,
      lastEventId: 'a-4',
      connection: { phase: 'idle', transport: undefined, attempt: 0, retryAt: undefined }
    })
  })

  test('holds the same frozen object until something changes, then a new one', () => {
    const store = createStore()
    const first = store.state
    expect(store.state).toBe(first)
    store.set({ status: 'running' })
    store.set({ lastEventId: 'a-1' })
    const second = store.state
    expect(second).not.toBe(first)
    expect(store.state).toBe(second)
    expect(second).toMatchObject({ status: 'running', lastEventId: 'a-1' })
    expect(first.status).toBe('unknown')
    expect([first, second, second.connection].every(Object.isFrozen)).toBe(true)
  })

  test('tells its listeners once a task, however much has changed', async () => {
    const store = createStore()
    const listener = vi.fn(() => store.state.status)
    store.onChange(listener)
    store.set({ status: 'queued' })
    store.set({ status: 'running' })
    expect(listener).not.toHaveBeenCalled()
    await vi.waitFor(() => expect(listener).toHaveReturnedWith('running'))
    expect(listener).toHaveBeenCalledOnce()
    store.set({ status: 'succeeded' })
    await vi.waitFor(() => expect(listener).toHaveBeenCalledTimes(2))
  })

  test('tells of a change that a listener makes in another task', async () => {
    const store = createStore()
    const seen: string[] = []
    store.onChange(() => {
      seen.push(store.state.status)
      if (seen.length === 1) store.set({ status: 'running' })
    })
    store.set({ status: 'queued' })
    await vi.waitFor(() => expect(seen).toEqual(['queued', 'running']))
  })

  test('tells nobody who has left, not even one whom another listener made leave', async () => {
    const store = createStore()
    const [left, leaving] = [vi.fn(), vi.fn()]
    store.onChange(left)()
    let leave = (): void => {}
    const first = vi.fn(() => leave())
    store.onChange(first)
    leave = store.onChange(leaving)
    store.set({ status: 'running' })
    await vi.waitFor(() => expect(first).toHaveBeenCalledOnce())
    await macrotask()
    expect(left).not.toHaveBeenCalled()
    expect(leaving).not.toHaveBeenCalled()
  })

  test('takes one function twice for two listeners', async () => {
    const store = createStore()
    const listener = vi.fn()
    const [first] = [store.onChange(listener), store.onChange(listener)]
    expect(store.listeners).toBe(2)
    first()
    first()
    expect(store.listeners).toBe(1)
    store.set({ status: 'running' })
    await vi.waitFor(() => expect(listener).toHaveBeenCalledOnce())
  })

  test('a listener that throws keeps the others from nothing', async () => {
    const shown = vi.spyOn(console, 'error').mockImplementation(() => {})
    const store = createStore()
    const listener = vi.fn()
    store.onChange(() => {
      throw new Error('oh')
    })
    store.onChange(listener)
    store.set({ status: 'running' })
    await vi.waitFor(() => expect(listener).toHaveBeenCalledOnce())
    expect(shown).toHaveBeenCalledOnce()
    shown.mockRestore()
  })
})

const event = (type: string, data: unknown = null, seq = 1): WireEvent => ({ id: `a-${seq}`, seq, job: '1', type, time: '2026-11-21T01:02:03.456Z', data })

/** The state after these events. */
function stateOf(...events: WireEvent[]): AnyState {
  const store = createStore()
  for (const each of events) store.take(each, 'a')
  return store.state
}

describe('what an event makes of the state', () => {
  test.each<[string, unknown, Partial<AnyState>]>([
    ['queued', { position: 2 }, { status: 'queued' }],
    ['started', { attempt: 1 }, { status: 'running' }],
    ['progress', { ratio: 0.5 }, { status: 'running', progress: { ratio: 0.5 } }],
    ['progress', null, { status: 'running', progress: undefined }],
    ['progress', 'half', { status: 'running', progress: undefined }],
    ['output', 'text', { status: 'running' }],
    ['retrying', {}, { status: 'running' }],
    ['cancelling', {}, { status: 'unknown' }],
    ['log', { level: 'info', message: '' }, { status: 'unknown' }],
    ['thumbnail', { url: '/' }, { status: 'running' }],
    ['__proto__', {}, { status: 'running' }],
    ['succeeded', { url: '/video' }, { status: 'succeeded', result: { url: '/video' }, error: undefined }]
  ])('%s %j: %j', (type, data, changed) => {
    expect(stateOf(event(type, data))).toMatchObject({ ...changed, lastEventId: 'a-1' })
  })

  test.each<[string, unknown, object]>([
    ['failed', { code: 'out-of-disk', message: 'no space left' }, { code: 'out-of-disk', message: 'no space left' }],
    ['failed', null, { code: 'failed', message: 'job 1 failed' }],
    ['cancelled', { reason: 'by the user' }, { code: 'cancelled', message: 'job 1 was cancelled: by the user' }],
    ['cancelled', 7, { code: 'cancelled', message: 'job 1 was cancelled' }]
  ])('%s %j: the error %j', (type, data, error) => {
    expect(stateOf(event(type, data))).toMatchObject({ status: type, result: undefined, error: { name: 'JobFailedError', ...error } })
  })

  test('the status is the one that the server’s snapshot has, after any events', () => {
    const types = ['queued', 'started', 'progress', 'thumbnail', 'output', 'log', 'cancelling', 'retrying']
    for (const first of types)
      for (const second of types) {
        const before = statusAfter(first, 'queued')
        // Before any event tells the status, it is unknown.
        const expected = ['log', 'cancelling'].includes(first) && ['log', 'cancelling'].includes(second) ? 'unknown' : statusAfter(second, before)
        expect(stateOf(event(first), event(second, null, 2)).status, `${first}, ${second}`).toBe(expected)
      }
  })

  test('is made of progress without sharing it, in either direction', () => {
    const data = { ratio: 0.5, pages: [{ done: true }], details: { stage: { name: 'render' } } }
    const state = stateOf(event('progress', data))
    expect(state.progress).toEqual(data)
    data.ratio = 99
    data.pages.push({ done: false })
    data.details.stage.name = 'hacked'
    expect(state.progress).toEqual({ ratio: 0.5, pages: [{ done: true }], details: { stage: { name: 'render' } } })
    const { progress } = state as unknown as { progress: typeof data } // as: see above
    for (const change of [() => (progress.ratio = 1), () => progress.pages.pop(), () => (progress.details.stage.name = '')]) expect(change).toThrow(TypeError)
  })

  test('survives progress of any depth, and names that are traps', () => {
    const deep = JSON.parse(`${'{"a":'.repeat(100_000)}1${'}'.repeat(100_000)}`)
    expect(stateOf(event('progress', deep)).status).toBe('running')
    const trap = stateOf(event('progress', JSON.parse('{"__proto__":{"ratio":1},"current":1}')))
    expect(trap.progress?.ratio).toBeUndefined()
    expect(Object.keys(trap.progress ?? {})).toEqual(['__proto__', 'current'])
  })

  test('is the same object where the same event is taken again', () => {
    const store = createStore()
    store.take(event('log'), 'a')
    const before = store.state
    store.take(event('log'), 'a')
    expect(store.state).toBe(before)
  })

  test('an event that is known already moves only the cursor', () => {
    expect(stateOf(event('progress', { ratio: 0.5 }, 2), event('progress', { ratio: 0.25 }, 1))).toMatchObject({ progress: { ratio: 0.5 }, lastEventId: 'a-1' })
  })

  test('an event of another epoch is new, whatever its number', () => {
    const store = createStore()
    store.take(event('progress', { ratio: 0.5 }, 7), 'a')
    store.take(event('progress', { ratio: 0.1 }, 1), 'b')
    expect(store.state.progress).toEqual({ ratio: 0.1 })
  })
})

const snapshot = (rest: Partial<JobSnapshot>): JobSnapshot => ({ id: '1', status: 'running', epoch: 'a', seq: 9, cursor: 'a-9', ...rest })

describe('what a snapshot makes of the state', () => {
  test.each([
    [50, { ratio: 0.5 }],
    [0, { ratio: 0 }],
    [
      { current: 1, total: 4 },
      { current: 1, total: 4, ratio: 0.25 }
    ],
    [{ stage: 'b' }, { stage: 'b' }],
    ['half', undefined],
    [true, undefined],
    [[1], [1]],
    [null, undefined]
  ])('with the progress %j it is one with %j', (progress, expected) => {
    const store = createStore()
    store.takeSnapshot(snapshot({ progress: progress as NonNullable<JobSnapshot['progress']> })) // as: the application may publish anything
    expect(store.state.progress).toEqual(expected)
  })

  test('its status, progress and cursor, and that no earlier event is news', () => {
    const store = createStore()
    store.takeSnapshot(snapshot({ progress: { ratio: 0.9 } }))
    expect(store.state).toMatchObject({ status: 'running', progress: { ratio: 0.9 }, lastEventId: 'a-9' })
    store.take(event('progress', { ratio: 0.1 }, 3), 'a')
    expect(store.state).toMatchObject({ progress: { ratio: 0.9 }, lastEventId: 'a-3' })
  })

  test('of a job that has ended: its end', () => {
    const store = createStore()
    store.takeSnapshot(snapshot({ status: 'failed', error: { code: 'oh', message: 'no' } }))
    expect(store.state).toMatchObject({ status: 'failed', error: { code: 'oh', message: 'no' } })
  })
})

describe('the end that a snapshot stands for', () => {
  test.each(['queued', 'running'] as const)('is none while it is %s', (status) => expect(terminalEventOf(snapshot({ status }))).toBeUndefined())

  test.each<[JobSnapshot['status'], Partial<JobSnapshot>, unknown]>([
    ['succeeded', { result: { url: '/video' } }, { url: '/video' }],
    ['succeeded', { result: 0 }, 0],
    ['succeeded', {}, null],
    ['failed', { error: { code: 'oh', message: '' } }, { code: 'oh', message: '' }],
    ['cancelled', {}, null]
  ])('is the event of one that is %s with %j', (status, rest, data) => {
    expect(terminalEventOf(snapshot({ status, ...rest }))).toMatchObject({ id: 'a-9', seq: 9, job: '1', type: status, data })
  })
})
