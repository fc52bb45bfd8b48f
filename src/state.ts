/** A job's state: what events and snapshots change in it, and who is notified. */

import { createListeners } from './async/listeners.ts'
import { JobFailedError } from './errors.ts'
import type { JobSnapshot, JobStatus, WireEvent } from './protocol/frames.ts'
import { progressOf } from './protocol/progress.ts'
import { isTerminal } from './protocol/rules.ts'
import { statusAfter } from './protocol/status.ts'
import type { ConnectionState, JobState } from './types.ts'

/** The state before its `result` is given a type. */
export type AnyState = JobState<{ succeeded: unknown }>

const unconnected = (phase: 'idle' | 'closed'): ConnectionState =>
  Object.freeze({ phase, transport: undefined, attempt: 0, retryAt: undefined, problem: undefined })
/** The connection state while nobody follows the job. */
export const IDLE: ConnectionState = unconnected('idle')
/** The connection state after the end. */
export const CLOSED: ConnectionState = unconnected('closed')

/** The fields of a state that is being made. */
type Fields = { -readonly [Name in keyof AnyState]: AnyState[Name] }

/** The seq of the last event that each state includes. Nothing that an application shows, so it is no field of the state. */
export const seqOf: WeakMap<AnyState, number> = new WeakMap()

/** One job's state, and its listeners. */
export interface Store {
  /** A frozen snapshot; the same object until something changes. */
  readonly state: AnyState
  /** Changes fields. Listeners are notified only where a value differs. */
  set(change: Partial<AnyState>): void
  /** Applies an event; its seq counts within `epoch`. An event that the state already includes changes `lastEventId` alone. */
  take(event: WireEvent, epoch: string | undefined): void
  /** Applies a snapshot. */
  takeSnapshot(snapshot: JobSnapshot): void
  /** Whether the state includes all that the snapshot tells. Of two epochs nobody knows the later one: what is known stays. */
  includes(snapshot: JobSnapshot): boolean
  /** Registers a listener, which is called at most once per task; returns a function that removes it. */
  onChange(listener: () => void): () => void
  /** How many listeners there are. */
  readonly listeners: number
}

/** `known`: what is known already, such as the cursor that the subscription starts from. `onTouch` is called at each change, with the event that made it. */
export function createStore(known: Partial<AnyState> = {}, onTouch?: (event?: WireEvent) => void): Store {
  const fields: Fields = {
    status: 'unknown',
    progress: undefined,
    result: undefined,
    error: undefined,
    lastEventId: undefined,
    connection: IDLE,
    ...known
  }
  /** Created when it is read, because most events arrive while nobody reads it. */
  let state: AnyState | undefined
  const listeners = createListeners()
  /** The last event that the state includes. A loop that starts later, further back, does not take the state back. */
  let stateEpoch: string | undefined
  let stateSeq = 0

  function changed(event?: WireEvent): void {
    state = undefined
    onTouch?.(event)
    listeners.changed()
  }

  return {
    get state() {
      if (!state) {
        state = Object.freeze({ ...fields })
        seqOf.set(state, stateSeq)
      }
      return state
    },
    set(change) {
      const differs = Object.entries(change).some(([key, value]) => fields[key as keyof AnyState] !== value) // as: a key of `change`
      Object.assign(fields, change)
      if (differs) changed()
    },
    take(event, epoch) {
      const { seq, id } = event
      if (epoch !== stateEpoch || seq > stateSeq) {
        stateEpoch = epoch
        stateSeq = seq
        applyEvent(fields, event)
      } else if (id === fields.lastEventId) return
      fields.lastEventId = id
      changed(event)
    },
    takeSnapshot(snapshot) {
      const event = terminalEventOf(snapshot)
      stateEpoch = snapshot.epoch
      stateSeq = snapshot.seq
      fields.status = snapshot.status
      fields.lastEventId = snapshot.cursor
      const progress = progressOf(snapshot.progress)
      // A snapshot whose progress is not an object is still accepted: the application publishes it as it likes.
      if (isObject(progress)) fields.progress = copyOf(progress)
      if (event) applyEvent(fields, event)
      changed()
    },
    includes: ({ epoch, seq }) => (stateEpoch === epoch ? stateSeq >= seq : fields.status !== 'unknown'),
    onChange: listeners.add,
    get listeners() {
      return listeners.size
    }
  }
}

/** Changes the fields as the event says, except `lastEventId`. */
function applyEvent(fields: Fields, event: WireEvent): void {
  const { type, data } = event
  fields.status = statusAfter(type, fields.status as JobStatus) // as: for an event that does not change the status, `unknown` stays
  if (type === 'progress' && isObject(data)) fields.progress = copyOf(data)
  else if (type === 'succeeded') fields.result = data
  else if (isTerminal(type)) fields.error = new JobFailedError(event)
}

const isObject = (data: unknown): data is object => typeof data === 'object' && data !== null

/** A frozen copy, since the loop may change the data of its own event. Data nested more than 32 levels deep is shared. */
function copyOf<T extends object>(data: T, depth = 32): T {
  const copy = (Array.isArray(data) ? [...data] : { ...data }) as T // as: the copy has the same members
  for (const key in copy) {
    const value: unknown = copy[key]
    if (depth && isObject(value)) copy[key] = copyOf(value, depth - 1) as (typeof copy)[typeof key] // as: the same
  }
  return Object.freeze(copy)
}

/** The terminal event that the snapshot of an ended job stands for; `undefined` while the job runs. */
export function terminalEventOf({ id, status, seq, cursor, result, error }: JobSnapshot): WireEvent | undefined {
  if (!isTerminal(status)) return undefined
  return { id: cursor, seq, job: id, type: status, time: new Date().toISOString(), data: (status === 'succeeded' ? result : error) ?? null }
}
