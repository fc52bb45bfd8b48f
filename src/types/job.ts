/** A job whose state many look at. */

import type { JobSnapshot } from '../protocol/frames.ts'
import type { JobState, None, Result } from './state.ts'

/** Options of `job`. They are checked when it is called. */
export interface JobOptions {
  /**
   * A snapshot of the job that the page has been given, for example by the server that rendered it. Where nothing as new is known of the job, its `state`
   * begins with it, and the job is followed from its cursor on; where it says that the job has ended, no request is made. A snapshot of another job is ignored.
   */
  initial?: JobSnapshot | undefined
}

/**
 * One job's state, for however many look at it: they cost one connection and one request at the start. It takes no events into memory. It is the store that
 * React's `useSyncExternalStore` expects: `useSyncExternalStore(job.subscribe, () => job.state)`.
 */
export interface Job<E = None> {
  /** The id that was passed to `job`. */
  readonly jobId: string
  /** What is known of the job. Frozen, and the same object until something changes. It moves as events arrive, and keeps what it was after everybody has left. */
  readonly state: JobState<E>
  /**
   * Registers a listener for changes of `state`, and returns a function that removes it. The listener is called at most once per task. The first listener
   * starts to follow the job. One macrotask after the last one has left, every socket, request and timer is released. Where following has failed for good, the
   * next `subscribe` tries again. A function of its own: it may be passed on without its object.
   */
  readonly subscribe: (listener: () => void) => () => void
  /**
   * The job's result. It is lazy: reading it starts to follow the job, until its end. It never causes an unhandled rejection. The same promise until following
   * has failed and is tried again.
   * @throws JobFailedError where the job failed or was cancelled
   * @throws JobtailError where following has failed for good, and `closed` after the client's `close()`
   */
  readonly result: Promise<Result<E>>
  /**
   * Asks the server to cancel the job, as `Subscription.cancel` does.
   * @throws JobtailError as `Subscription.cancel` does
   */
  cancel(): Promise<void>
}

/** A job that this browser follows. */
export interface KnownJob {
  /** The job's id. */
  readonly id: string
  /** Since when it has been followed, in ms since 1970. */
  readonly since: number
}

/** The jobs that this browser follows. It is the store that React's `useSyncExternalStore` expects. */
export interface JobList {
  /**
   * Newest first, at most 100, none older than a week. Frozen, and the same object until something changes. What pages before this one have left is in it once
   * somebody has subscribed and the storage has answered.
   */
  readonly state: readonly KnownJob[]
  /**
   * Registers a listener for changes of `state`, called at most once per task; returns a function that removes it. The list is read again at each `subscribe`,
   * and whenever the page is seen again: other tabs may have changed it. A function of its own: it may be passed on without its object.
   */
  readonly subscribe: (listener: () => void) => () => void
}
