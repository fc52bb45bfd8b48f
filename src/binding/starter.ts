/** Starting a job from a component. */

import type { Client, JobtailError, StartOptions } from '../index.ts'

/** How the latest start stands. A new object after each change. */
export interface StartState {
  /** The id of the job that was started last; `undefined` before that, while a start is pending, and where it failed. */
  readonly jobId: string | undefined
  /** Whether a start is pending. */
  readonly isPending: boolean
  /** Why the last start failed; `undefined` where its signal was aborted. */
  readonly error: JobtailError | undefined
}

/** Starts jobs for one component. */
export interface Starter<I = unknown> {
  /**
   * Starts a job with `input`, and resolves with its id, or with `undefined` where that failed: `error` says why. It never rejects. A second call while one is
   * pending starts nothing, and returns the promise of the first. The start goes on where the component is unmounted meanwhile: leaving is not stopping.
   * `options.signal` ends it.
   */
  readonly start: (input: I, options?: Pick<StartOptions, 'idempotencyKey' | 'signal'>) => Promise<string | undefined>
  /**
   * Asks the server to cancel the job that was started last. While the start is pending it waits for the id. Resolves where nothing was started.
   * @throws JobtailError as `Job.cancel` does
   */
  readonly cancel: () => Promise<void>
}

/** The state before anything was started. */
export const IDLE: StartState = { jobId: undefined, isPending: false, error: undefined }

/** `show` is called with each new state. */
export function createStarter<I>(client: Client, show: (state: StartState) => void): Starter<I> {
  // Not from what is shown: two clicks may come before that.
  let isPending = false
  let id: Promise<string | undefined> | undefined
  const set = (change: Partial<StartState>): void => show({ ...IDLE, ...change })

  async function request(...[input, options]: Parameters<Starter<I>['start']>): Promise<string | undefined> {
    isPending = true
    set({ isPending })
    let outcome: Partial<StartState> = {}
    try {
      outcome = { jobId: (await client.start(input, options)).jobId }
    } catch (error) {
      if (!options?.signal?.aborted) outcome = { error: error as JobtailError } // as: `start` rejects with no other
    }
    isPending = false
    set(outcome)
    return outcome.jobId
  }
  return {
    start(input, options) {
      if (!isPending || !id) id = request(input, options)
      return id
    },
    async cancel() {
      const jobId = await id
      if (jobId) await client.job(jobId).cancel()
    }
  }
}
