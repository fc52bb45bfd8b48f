/** A job's state as it is known so far: what an event or a snapshot makes of it, and who is told. */

import { callOut } from './async/callback.ts'
import { macrotask } from './async/clock.ts'
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
export const IDLE: ConnectionState = unconnected('idle')
export const CLOSED: ConnectionState = unconnected('closed')

export interface Store {
  /** Frozen; the same object until something changes. */
  readonly state: AnyState
  set(change: Partial<AnyState>): void
  /** Takes an event, whose seq counts in the epoch; one that is known already moves the cursor alone. */
  take(event: WireEvent, epoch: string | undefined): void
  takeSnapshot(snapshot: JobSnapshot): void
  onChange(listener: () => void): () => void
  readonly listeners: number
}

export function createStore(lastEventId: string | undefined): Store {
  const fields: { -readonly [Name in keyof AnyState]: AnyState[Name] } = {
    status: 'unknown',
    progress: undefined,
    result: undefined,
    error: undefined,
    lastEventId,
    connection: IDLE
  }
  /** Made when it is read: most events come while nobody looks. */
  let state: AnyState | undefined
  let telling = false
  const listeners = new Set<() => void>()
  /** How far the state is: a reader who comes later than it doesn't take it back. */
  let shownEpoch: string | undefined
  let shownSeq = 0

  async function tell(): Promise<void> {
    telling = true
    await macrotask()
    telling = false
    for (const listener of [...listeners]) if (listeners.has(listener)) callOut(listener)
  }

  function changed(): void {
    state = undefined
    if (!telling && listeners.size > 0) void tell()
  }

  /** What an event says of the job. */
  function apply(event: WireEvent): void {
    const { type, data } = event
    fields.status = statusAfter(type, fields.status as JobStatus) // as: what says nothing of it leaves `unknown` as it is
    if (type === 'progress' && isObject(data)) fields.progress = copyOf(data)
    else if (type === 'succeeded') fields.result = data
    else if (isTerminal(type)) fields.error = new JobFailedError(event)
  }

  return {
    get state() {
      state ??= Object.freeze({ ...fields })
      return state
    },
    set(change) {
      const before = { ...fields }
      Object.assign(fields, change)
      if (Object.keys(change).some((key) => before[key as keyof AnyState] !== fields[key as keyof AnyState])) changed() // as: it is one of them
    },
    take(event, epoch) {
      const { seq, id } = event
      if (epoch !== shownEpoch || seq > shownSeq) {
        shownEpoch = epoch
        shownSeq = seq
        apply(event)
      } else if (id === fields.lastEventId) return
      fields.lastEventId = id
      changed()
    },
    takeSnapshot(snapshot) {
      const event = endOf(snapshot)
      shownEpoch = snapshot.epoch
      shownSeq = snapshot.seq
      fields.status = snapshot.status
      fields.lastEventId = snapshot.cursor
      const progress = progressOf(snapshot.progress)
      // A job is not to be refused for what somebody published as its progress.
      if (isObject(progress)) fields.progress = copyOf(progress)
      if (event) apply(event)
      changed()
    },
    onChange(listener) {
      const own = (): void => listener() // the same function twice is two listeners
      listeners.add(own)
      return () => void listeners.delete(own)
    },
    get listeners() {
      return listeners.size
    }
  }
}

const isObject = (data: unknown): data is object => typeof data === 'object' && data !== null

/** Frozen, and a copy, since an event's reader may do with its data what he likes. Data nested deeper than that is shared. */
function copyOf<T extends object>(data: T, depth = 32): T {
  const copy = (Array.isArray(data) ? [...data] : { ...data }) as T // as: of the same members
  for (const key in copy) {
    const value: unknown = copy[key]
    if (depth && isObject(value)) copy[key] = copyOf(value, depth - 1) as (typeof copy)[typeof key] // as: the same
  }
  return Object.freeze(copy)
}

/** The terminal event that a snapshot stands for; undefined while the job goes on. */
export function endOf({ id, status, seq, cursor, result, error }: JobSnapshot): WireEvent | undefined {
  if (!isTerminal(status)) return undefined
  return { id: cursor, seq, job: id, type: status, time: new Date().toISOString(), data: (status === 'succeeded' ? result : error) ?? null }
}
