/** Starting a job from a component. */

import type { Client, JobtailError, StartOptions } from '../index.ts'

/** How the latest start stands. Frozen; a new object after each change. */
export interface StartState {
  /** The id of the job that was started last; `undefined` before that, while a start is pending, and where it failed. */
  readonly jobId: string | undefined
  /** Whether a start is pending. */
  readonly isPending: boolean
  /** Why the last start failed; `undefined` where its signal was aborted. */
  readonly error: JobtailError | undefined
}

/** Starts jobs for one component. */
export interface Starter {
  /**
   * Starts a job with `input`, and resolves with its id, or with `undefined` where that failed: `error` says why. It never rejects. A second call while one is
   * pending starts nothing, and returns the promise of the first. The start goes on where the component is gone meanwhile: leaving is not stopping.
   * `options.signal` ends it.
   */
  start(input: unknown, options?: Pick<StartOptions, 'idempotencyKey' | 'signal'>): Promise<string | undefined>
  /**
   * Asks the server to cancel the job that was started last. While the start is pending it waits for the id. Resolves where nothing was started.
   * @throws JobtailError as `Job.cancel` does
   */
  cancel(): Promise<void>
}

const IDLE: StartState = Object.freeze({ jobId: undefined, isPending: false, error: undefined })

/** `show` is called with each new state. */
export function createStarter(client: Client, show: (state: StartState) => void): Starter {
  let pending: Promise<string | undefined> | undefined
  let last: Promise<string | undefined> | undefined

  async function request(...[input, options = {}]: Parameters<Starter['start']>): Promise<string | undefined> {
    let state = IDLE
    try {
      const { jobId } = await client.start(input, options)
      state = { ...IDLE, jobId }
    } catch (error) {
      if (!options.signal?.aborted) state = { ...IDLE, error: error as JobtailError } // as: `start` rejects with no other
    }
    pending = undefined
    show(Object.freeze(state))
    return state.jobId
  }

  return {
    start(input, options) {
      if (pending) return pending
      show(Object.freeze({ ...IDLE, isPending: true }))
      pending = last = request(input, options)
      return pending
    },
    async cancel() {
      const id = await last
      if (id !== undefined) await client.job(id).cancel()
    }
  }
}

/** The state before anything was started. */
export const notStarted: StartState = IDLE
