/** One job's state in a component. */

import { useSyncExternalStore } from 'react'
import { createJobStore, none } from '../binding/job-store.ts'
import type { Client, JobEvent, JobSnapshot, JobState } from '../index.ts'
import { useKept, useLatest } from './kept.ts'
import { useClient } from './provider.ts'

/** The default of `E`: the application sends no events of its own. */
// biome-ignore lint/complexity/noBannedTypes: {} is "no events of the application's own"
type None = {}

/** Options of `useJob`. A new object with the same content changes nothing. */
export interface UseJobOptions<E extends object = None> {
  /**
   * The client to follow the job with.
   * @defaultValue the provider's, else the one of `subscribe` and `start` without options
   */
  client?: Client | undefined
  /**
   * `false` is as if the id were null. It may change any number of times.
   * @defaultValue `true`
   */
  enabled?: boolean | undefined
  /** The job's snapshot from the server that rendered the page: what the first render shows, there and in the page. A snapshot of another job is ignored. */
  initial?: JobSnapshot | undefined
  /**
   * Where `onEvent` begins: after the event with this id, or with `'tail'` at what comes next; until a first event has come, that begins anew each time that
   * the job is followed again. It is read once for each id.
   * @defaultValue the oldest event that the server retains
   */
  after?: string | undefined
  /** Called with each event once, in order, also after the component was hidden or `enabled` was false meanwhile. The latest function is the one called. */
  onEvent?: ((event: JobEvent<E>) => void) | undefined
  /** Called once for each id, when the job has succeeded, failed or was cancelled, after the last `onEvent`. Never because a connection has ended. */
  onEnd?: ((state: JobState<E>) => void) | undefined
}

/** What `useJob` returns: the job's state, and what a component needs beside it. The same object until something changes. */
export interface UseJob<E extends object = None> extends JobState<E> {
  /** Whether the job's end is still awaited: false without a job, after its end, and where following it has failed for good. */
  readonly isPending: boolean
  /**
   * Asks the server to cancel the job. Resolves once the server has accepted it; `status` changes with the job's terminal event.
   * @throws JobtailError as `Job.cancel` does; `bad-request` without a job
   */
  readonly cancel: () => Promise<void>
}

/**
 * Follows a job while the component is mounted, and renders it as its state changes: at most once per animation frame. All components that follow a job with
 * the same client share one connection. Unmounting doesn't cancel the job. A server that renders the component makes no request.
 *
 * @param id - the job's id; null, undefined: none yet
 * @throws JobtailError `bad-request` while rendering, for an id that is no job id or an `initial` that is no snapshot; from the effect, for an `after` that is
 * no event's id
 */
export function useJob<E extends object = None>(id: string | null | undefined, options: UseJobOptions<E> = {}): UseJob<E> {
  const { enabled = true, onEvent } = options
  const client = useClient(options.client)
  const latest = useLatest(options)
  const store = useKept(() => (id == null ? undefined : createJobStore(client, id, options, latest)), client, id)
  const { state, atServer, subscribe, subscribeWithEvents } = (enabled && store) || none
  return useSyncExternalStore<UseJob<E>>(onEvent ? subscribeWithEvents : subscribe, state, atServer)
}
