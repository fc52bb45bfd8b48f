/** Starting a job from a component. */

import { useState } from 'react'
import type { Client, JobtailError, StartOptions } from '../index.ts'
import { useKept } from './kept.ts'
import { useClient } from './provider.ts'

/** Options of `useStartJob`. */
export interface UseStartJobOptions {
  /**
   * The client to start jobs with.
   * @defaultValue the provider's, else the one of `subscribe` and `start` without options
   */
  client?: Client | undefined
}

/** What `useStartJob` returns. The functions stay the same while the client does. */
export interface UseStartJob<I = unknown> {
  /**
   * Starts a job with `input`, and resolves with its id, or with `undefined` where that failed: `error` says why. It never rejects. A second call while one is
   * pending starts nothing, and returns the promise of the first. The start goes on where the component is unmounted meanwhile: leaving is not stopping.
   * `options.signal` ends it.
   */
  readonly start: (input: I, options?: Pick<StartOptions, 'idempotencyKey' | 'signal'>) => Promise<string | undefined>
  /** The id of the job that was started last, for `useJob`; `undefined` before that, while a start is pending, and where it failed. */
  readonly jobId: string | undefined
  /** Whether a start is pending. */
  readonly isPending: boolean
  /** Why the last start failed; `undefined` where its signal was aborted. */
  readonly error: JobtailError | undefined
  /**
   * Asks the server to cancel the job that was started last. While the start is pending it waits for the id. Resolves where nothing was started.
   * @throws JobtailError as `Job.cancel` does
   */
  readonly cancel: () => Promise<void>
}

type Outcome = Pick<UseStartJob, 'jobId' | 'isPending' | 'error'>
type Functions<I> = Pick<UseStartJob<I>, 'start' | 'cancel'>

const IDLE: Outcome = { jobId: undefined, isPending: false, error: undefined }

/** Starts jobs, for a button or a form. Follow the job that it starts with `useJob(jobId)`. */
export function useStartJob<I = unknown>(options: UseStartJobOptions = {}): UseStartJob<I> {
  const client = useClient(options.client)
  const [outcome, setOutcome] = useState(IDLE)
  const functions = useKept(() => createFunctions<I>(client, (change) => setOutcome({ ...IDLE, ...change })), client)
  return { ...outcome, ...functions }
}

function createFunctions<I>(client: Client, set: (change: Partial<Outcome>) => void): Functions<I> {
  // Not from the last render: two clicks may come before the next one.
  let isPending = false
  let id: Promise<string | undefined> | undefined

  async function request(...[input, options]: Parameters<UseStartJob<I>['start']>): Promise<string | undefined> {
    isPending = true
    set({ isPending })
    let outcome: Partial<Outcome> = {}
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
