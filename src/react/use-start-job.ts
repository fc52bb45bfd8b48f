/** Starting a job from a component. */

import { useState } from 'react'
import { createStarter, IDLE, type StartState } from '../binding/starter.ts'
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

/** What `useStartJob` returns. The functions stay the same while the client does; with another one nothing has been started yet. */
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

/** Starts jobs, for a button or a form. Follow the job that it starts with `useJob(jobId)`. */
export function useStartJob<I = unknown>(options: UseStartJobOptions = {}): UseStartJob<I> {
  const client = useClient(options.client)
  const [, render] = useState<StartState>()
  /** Each client has its own: what was started with the one before is no job of this one. */
  const starting = useKept(() => {
    const made = {
      state: IDLE,
      functions: createStarter<I>(client, (state) => {
        made.state = state
        render(state)
      })
    }
    return made
  }, client)
  return { ...starting.state, ...starting.functions }
}
