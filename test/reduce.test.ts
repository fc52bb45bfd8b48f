/** The state that an application builds for itself, out of a snapshot and of events. */

import { describe, expect, test } from 'vitest'
import { initialState, reduceJob } from '../src/index.ts'
import type { JobEvent, JobSnapshot, JobState } from '../src/types.ts'

const event = (seq: number, type: string, data: unknown = null): JobEvent =>
  ({ id: `a-${seq}`, seq, job: '1', type, time: '2026-11-21T01:02:03.456Z', data }) as JobEvent // as: of that type

const snapshot: JobSnapshot = { id: '1', status: 'running', epoch: 'a', seq: 9, cursor: 'a-9', progress: { current: 1, total: 2 } }

describe('the initial state', () => {
  test('is the same frozen object where nothing is known', () => {
    expect(initialState()).toBe(initialState())
    expect(Object.isFrozen(initialState())).toBe(true)
    expect(initialState()).toMatchObject({ status: 'unknown', progress: undefined, lastEventId: undefined, connection: { phase: 'idle' } })
  })

  test('is what a snapshot tells', () => {
    expect(initialState(snapshot)).toMatchObject({ status: 'running', progress: { ratio: 0.5 }, lastEventId: 'a-9', connection: { phase: 'idle' } })
    const ended = initialState({ ...snapshot, status: 'failed', error: { code: 'no-disk', message: 'full' } })
    expect(ended).toMatchObject({ status: 'failed', error: { code: 'no-disk' }, connection: { phase: 'closed' } })
  })

  test.each<[unknown, string]>([
    [{ ...snapshot, seq: '9' }, 'snapshot: seq: expected an integer from 0, got "9"'],
    [7, 'snapshot: id: expected a string, got nothing']
  ])('%j is no snapshot', (value, message) => {
    expect(() => initialState(value as JobSnapshot)).toThrow(expect.objectContaining({ code: 'bad-request', message })) // as: an application without types may pass anything
  })
})

describe('the reducer', () => {
  const reduce = (...events: JobEvent[]): JobState => events.reduce(reduceJob, initialState())

  test('makes of events what a subscription makes of them, in frozen objects', () => {
    const state = reduce(event(1, 'queued', {}), event(2, 'progress', { ratio: 0.5 }), event(3, 'log', { level: 'info', message: '' }))
    expect(state).toMatchObject({ status: 'running', progress: { ratio: 0.5 }, lastEventId: 'a-3' })
    expect([state, state.progress].every(Object.isFrozen)).toBe(true)
    expect(reduceJob(state, event(4, 'succeeded', 7))).toMatchObject({ status: 'succeeded', result: 7 })
    expect(reduceJob(state, event(4, 'cancelled', {}))).toMatchObject({ status: 'cancelled', error: { name: 'JobFailedError', code: 'cancelled' } })
  })

  test('passes over what the state has had, also by its snapshot', () => {
    const had = [event(1, 'queued', {}), event(2, 'progress', { ratio: 0.5 }), event(3, 'progress', { ratio: 0.7 })]
    const state = reduce(...had)
    expect(had.reduce(reduceJob, state)).toBe(state)
    const known = initialState(snapshot)
    expect(reduceJob(known, event(9, 'progress', { ratio: 0.1 }))).toBe(known)
    expect(reduceJob(known, event(10, 'progress', { ratio: 0.1 })).progress).toEqual({ ratio: 0.1 })
  })

  test('begins anew where the log was replaced, and goes on where events are lost', () => {
    const state = reduce(event(7, 'progress', { ratio: 0.5 }))
    expect(reduceJob(state, event(7, 'gap', { missed: 3, reason: 'retention' }))).toBe(state)
    const replaced = reduceJob(state, event(7, 'gap', { missed: undefined, reason: 'epoch' }))
    expect(replaced).toEqual(state)
    expect(reduceJob(replaced, event(1, 'progress', { ratio: 0.1 }))).toMatchObject({ progress: { ratio: 0.1 }, lastEventId: 'a-1' })
  })
})
