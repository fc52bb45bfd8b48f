/** The state of a job that an application builds for itself, out of a snapshot and of events. */

import { JobtailError, messageOf } from './errors.ts'
import type { JobEvent } from './protocol/events.ts'
import type { JobSnapshot, WireEvent } from './protocol/frames.ts'
import { snapshotOf } from './protocol/parse.ts'
import { isTerminal } from './protocol/rules.ts'
import { type AnyState, CLOSED, createStore, seqOf } from './state.ts'
import type { None } from './types/state.ts'
import type { JobState } from './types.ts'

/**
 * Checks a snapshot that an application has been given by its server.
 * @throws JobtailError `bad-request`, with the field's name, what was expected and what came
 */
export function checkSnapshot(value: unknown): JobSnapshot {
  try {
    return snapshotOf(value)
  } catch (error) {
    throw new JobtailError('bad-request', `snapshot: ${messageOf(error)}`)
  }
}

const NOTHING = createStore().state

/**
 * The state before anything is known of a job (always the same object), or as the snapshot tells it. Frozen.
 * @throws JobtailError `bad-request`, with the name of the snapshot's field that is missing or of another type
 */
export function initialState<E = None>(snapshot?: JobSnapshot): JobState<E> {
  if (!snapshot) return NOTHING as JobState<E> // as: it has no result of any type
  const store = createStore()
  store.takeSnapshot(checkSnapshot(snapshot))
  if (isTerminal(snapshot.status)) store.set({ connection: CLOSED })
  return store.state as JobState<E> // as: the type parameter says what the application's jobs have as their result
}

/**
 * The state after an event: the reducer of `Subscription.state`. Events that the state has had, by their `seq`, return the same state, until a `gap` says that
 * the log was replaced. `connection` stays as it is. For a state that was copied, which has no such memory, every event counts as new.
 */
export function reduceJob<E = None>(state: JobState<E>, event: JobEvent<E>): JobState<E> {
  const before = state as AnyState // as: the type parameter says only what the result is
  const wire = event as WireEvent // as: any type of event, with any data
  const isGap = wire.type === 'gap'
  // Another log begins with seq 1. After lost events of the same log nothing comes again.
  if (isGap ? (wire.data as { reason: string }).reason !== 'epoch' : wire.seq <= (seqOf.get(before) ?? 0)) return state // as: only the client makes gaps
  const store = createStore(before)
  if (!isGap) store.take(wire, undefined)
  return store.state as JobState<E> // as: the type parameter, as above
}
