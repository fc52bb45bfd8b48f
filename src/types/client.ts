/// <reference lib="esnext.disposable" preserve="true" />
/** A client, and one subscription to a job. */

import type { JobEvent } from '../protocol/events.ts'
import type { Job, JobList, JobOptions } from './job.ts'
import type { JobState, None, Result } from './state.ts'

/** Options of `subscribe`. They are checked when it is called. An option that is `undefined` has its default. */
export interface SubscribeOptions {
  /**
   * The cursor to resume from: the `id` of the last event that was received. `'tail'`: only events that are appended once the server has told, for the first
   * time, where the log ends. From then on `state.lastEventId` has that place.
   * @defaultValue the oldest event that the server retains
   */
  after?: string | undefined
  /** Its abort ends the subscription: the loop and `result` reject with `signal.reason`, unwrapped. */
  signal?: AbortSignal | undefined
  /**
   * What happens where the server no longer has events that the loop has not seen. `'yield'`: the loop gets an event of type `gap`. `'throw'`: the loop
   * throws a `JobtailError` with code `gap`.
   * @defaultValue `'yield'`
   */
  onGap?: 'yield' | 'throw' | undefined
}

/**
 * Follows one job. It is inert (no request, no timer) until the first `next()`, `onChange()` or `result`.
 *
 * As an async iterable it yields every retained event once, in order, and ends after the terminal event. It never ends because a connection did.
 * @throws JobtailError from the loop and `result`, where delivery has failed for good: `unauthorized`, `forbidden`, `unknown-job`, `history-gone` and
 * `bad-request` as the server answered; `gap` with `onGap: 'throw'`; `unreachable` after `retry.attempts`; `unsupported` where no transport works here;
 * `protocol` where the server's snapshot is malformed
 * @throws TypeError at a second iteration: each loop needs a subscription of its own
 */
export interface Subscription<E = None> extends AsyncIterable<JobEvent<E>>, AsyncDisposable {
  /** The id that was passed to `subscribe`, or that `start` was answered. */
  readonly jobId: string
  /** What is known of the job. It moves as the loop takes events; without a loop, as they arrive. It never goes back. */
  readonly state: JobState<E>
  /**
   * Registers a listener for changes of `state`, and returns a function that removes it. The listener is called at most once per task. Together with `state`
   * this is the store that React's `useSyncExternalStore` expects.
   */
  onChange(listener: () => void): () => void
  /**
   * The job's result. It is lazy: reading it starts to follow the job. It never causes an unhandled rejection.
   * @throws JobFailedError where the job failed or was cancelled
   * @throws JobtailError as the loop does, and `closed` after `close()` or `break` before the end was known. After an abort, the signal's reason
   */
  readonly result: Promise<Result<E>>
  /**
   * Asks the server to cancel the job. The request is repeated until it is answered; the promise resolves once the server has accepted it. The loop goes on
   * until the job's terminal event.
   * @throws JobtailError the server's refusal; `unsupported` where the backend cannot cancel; `unreachable` after `retry.attempts`; `protocol` where the
   * answer is malformed; `closed` once the client is closed
   */
  cancel(): Promise<void>
  /** Detaches: the loop ends, and every socket, request and timer is released. The job goes on. */
  close(): void
}

/** Options of `start`: those of `subscribe`, and the request's key. */
export interface StartOptions extends SubscribeOptions {
  /**
   * Sent as the header `Idempotency-Key`: a repeated request with the same key does not start a second job.
   * @defaultValue a random UUID
   */
  idempotencyKey?: string | undefined
}

/** Follows and starts the jobs at one base URL. Its subscriptions share one connection as far as the server allows. */
export interface Client extends Disposable {
  /** The option `url`, as it was given. */
  readonly url: string
  /**
   * Follows a job. No request is made before somebody reads.
   * @throws JobtailError `bad-request`, synchronously, for an invalid option or job id
   */
  subscribe<E extends object = None>(jobId: string, options?: SubscribeOptions): Subscription<E>
  /**
   * Starts a job with `POST {url}` and `input` as JSON, and follows it. The request is repeated until it is answered; its key makes that safe.
   * @throws JobtailError the server's refusal; `bad-request` for an invalid option or an input that is not JSON; `unsupported` where the backend cannot
   * start jobs; `unreachable` after `retry.attempts`; `protocol` where the answer is malformed; `closed` once the client is closed
   */
  start<E extends object = None>(input: unknown, options?: StartOptions): Promise<Subscription<E>>
  /**
   * The state of a job, for however many look at it: the same object for the same id as long as anybody has it. No request is made before somebody subscribes
   * or reads `result`.
   * @throws JobtailError `bad-request`, synchronously, for an invalid option, snapshot or job id
   */
  job<E extends object = None>(jobId: string, options?: JobOptions): Job<E>
  /**
   * The jobs that this browser has started or followed with this client's `url` and `identity`, and that have not ended as far as it knows. A job is in it
   * once `start` is answered, or the server has said that it is queued or runs. It leaves where it ends, or the server says `unknown-job`, `forbidden` or
   * `history-gone`. Always the same object.
   */
  jobs(): JobList
  /**
   * Empties what `jobs()` keeps for this `url` and `identity`, in all tabs, for example as somebody logs out. What is followed on comes back into it, so close
   * the client first.
   * @throws whatever the `jobStorage` fails with, or an error after 5 s without an answer: then the list of this page alone is empty
   */
  forget(): Promise<void>
  /** Closes every subscription. What is followed or started later fails with `closed`. */
  close(): void
}
