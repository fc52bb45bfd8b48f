/** A job's state as it is known so far: what an event or a snapshot makes of it, and who is told. */

import { callOut } from './async/callback.ts'
import { macrotask } from './async/clock.ts'
import { JobFailedError } from './errors.ts'
import type { JobSnapshot, ProgressData, WireEvent } from './protocol/frames.ts'
import { isTerminal } from './protocol/rules.ts'
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
  let state: AnyState = Object.freeze({ status: 'unknown', progress: undefined, result: undefined, error: undefined, lastEventId, connection: IDLE })
  let telling = false
  const listeners = new Set<() => void>()
  /** How far the state is: a reader who comes later than it doesn't take it back. */
  let shown: { epoch: string | undefined; seq: number } = { epoch: undefined, seq: 0 }

  async function tell(): Promise<void> {
    telling = true
    await macrotask()
    telling = false
    for (const listener of [...listeners]) if (listeners.has(listener)) callOut(listener)
  }

  function set(change: Partial<AnyState>): void {
    if (Object.entries(change).every(([key, value]) => value === state[key as keyof AnyState])) return // as: it is one of them
    state = Object.freeze({ ...state, ...change })
    if (!telling && listeners.size > 0) void tell()
  }

  return {
    get state() {
      return state
    },
    set,
    take(event, epoch) {
      const { seq, id: lastEventId } = event
      const isKnown = epoch === shown.epoch && seq <= shown.seq
      if (!isKnown) shown = { epoch, seq }
      set({ ...(!isKnown && changeBy(event, state.status)), lastEventId })
    },
    takeSnapshot(snapshot) {
      const { epoch, seq, cursor, status, progress } = snapshot
      const event = endOf(snapshot)
      shown = { epoch, seq }
      set({ status, ...(progress && { progress }), ...(event && changeBy(event, status)), lastEventId: cursor })
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

/** What one event says of a job of that status. `queued` says nothing new of a job that is known: a retry doesn't take it back. */
function changeBy(event: WireEvent, status: AnyState['status']): Partial<AnyState> | undefined {
  const { type, data } = event
  switch (type) {
    case 'queued':
      return status === 'unknown' ? { status: type } : undefined
    case 'progress':
      return { status: 'running', ...(isObject(data) && { progress: data }) }
    case 'started':
    case 'output':
    case 'retrying':
      return { status: 'running' }
    case 'succeeded':
      return { status: type, result: data }
    case 'failed':
    case 'cancelled':
      return { status: type, error: new JobFailedError(event) }
    default:
      return undefined
  }
}

const isObject = (data: unknown): data is ProgressData => typeof data === 'object' && data !== null

/** The terminal event that a snapshot stands for; undefined while the job goes on. */
export function endOf({ id, status, seq, cursor, result, error }: JobSnapshot): WireEvent | undefined {
  if (!isTerminal(status)) return undefined
  return { id: cursor, seq, job: id, type: status, time: new Date().toISOString(), data: (status === 'succeeded' ? result : error) ?? null }
}
