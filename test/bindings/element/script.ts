/** A client whose jobs are as the test says, for what is measured in seconds: what is shown, and when, in virtual time. */

import { onTestFinished, vi } from 'vitest'
import { type Client, initialState, type Job, type JobState } from '../../../src/index.ts'

export interface ScriptedJob {
  client: Client
  /** Changes the state, and tells it. */
  set(change: Partial<JobState>): void
  /** How many listen. */
  listeners(): number
}

const LIVE = { ...initialState().connection, phase: 'live' } as const

/** A client with one job, and a clock that moves by `vi.advanceTimersByTime` alone. */
export function scriptJob(): ScriptedJob {
  vi.useFakeTimers({ toFake: ['performance', 'setInterval', 'clearInterval', 'requestAnimationFrame', 'cancelAnimationFrame'] })
  onTestFinished(() => void vi.useRealTimers())
  let state: JobState = Object.freeze({ ...initialState(), connection: LIVE })
  const listeners = new Set<() => void>()
  const job = {
    jobId: '42',
    get state() {
      return state
    },
    subscribe(listener: () => void) {
      listeners.add(listener)
      return () => void listeners.delete(listener)
    },
    cancel: () => Promise.reject(new Error('no'))
  }
  return {
    client: { job: () => job as Partial<Job> as Job } as Partial<Client> as Client, // as: all that the element uses
    set(change) {
      state = Object.freeze({ ...state, ...change })
      for (const listener of listeners) listener()
      vi.advanceTimersByTime(20) // a frame
    },
    listeners: () => listeners.size
  }
}
