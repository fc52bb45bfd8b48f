/** A job's state as it is known so far: what an event or a snapshot makes of it, and who is told. */

import { callOut } from './async/callback.ts'
import { macrotask } from './async/clock.ts'
import { JobFailedError } from './errors.ts'
import type { JobSnapshot, ProgressData, WireEvent } from './protocol/frames.ts'
import { isTerminal } from './protocol/rules.ts'
import type { JobState } from './types.ts'

/** The state before its `result` is given a type. */
export type AnyState = JobState<{ succeeded: unknown }>

export interface Store {
  /** Frozen; the same object until something changes. */
  readonly state: AnyState
  set(change: Partial<AnyState>): void
  onChange(listener: () => void): () => void
  readonly listeners: number
}

export function createStore(lastEventId: string | undefined): Store {
  const connection = Object.freeze({ phase: 'idle', transport: undefined, attempt: 0, retryAt: undefined } as const)
  let state: AnyState = Object.freeze({ status: 'unknown', progress: undefined, result: undefined, error: undefined, lastEventId, connection })
  // Made a new object when it is looked at: events come by the thousand, looks by the frame.
  let changes: Partial<AnyState> | undefined
  let telling = false
  const listeners = new Set<() => void>()

  async function tell(): Promise<void> {
    telling = true
    await macrotask()
    telling = false
    for (const listener of [...listeners]) callOut(listener)
  }

  return {
    get state() {
      if (changes) state = Object.freeze({ ...state, ...changes })
      changes = undefined
      return state
    },
    set(change) {
      changes = { ...changes, ...change }
      if (!telling && listeners.size > 0) void tell()
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

const isProgress = (data: unknown): data is ProgressData => typeof data === 'object' && data !== null

/** What one event says of the job. `queued` says nothing new of a job that is known: a retry doesn't take it back. */
export function eventChange({ type, data }: WireEvent, isKnown: boolean): Partial<AnyState> {
  switch (type) {
    case 'queued':
      return isKnown ? {} : { status: 'queued' }
    case 'progress':
      return isProgress(data) ? { status: 'running', progress: data } : { status: 'running' }
    case 'started':
    case 'output':
    case 'retrying':
      return { status: 'running' }
    default:
      return {}
  }
}

/** What the terminal event says of it. */
export const endChange = (event: WireEvent): Partial<AnyState> =>
  event.type === 'succeeded'
    ? { status: 'succeeded', result: event.data }
    : { status: event.type === 'cancelled' ? 'cancelled' : 'failed', error: new JobFailedError(event) }

/** The terminal event that a snapshot stands for; undefined while the job goes on. */
export function endOf({ id, status, seq, cursor, result, error }: JobSnapshot): WireEvent | undefined {
  if (!isTerminal(status)) return undefined
  return { id: cursor, seq, job: id, type: status, time: new Date().toISOString(), data: (status === 'succeeded' ? result : error) ?? null }
}
