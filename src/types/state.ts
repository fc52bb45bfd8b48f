/** What is known of a job and of the connection that follows it. */

import type { FailureReason, JobFailedError, JobtailError } from '../errors.ts'
import type { StandardEvents } from '../protocol/events.ts'
import type { JobStatus, ProgressData } from '../protocol/frames.ts'

/** The default of the type parameter `E`: the application sends no events of its own. */
// biome-ignore lint/complexity/noBannedTypes: {} is "no events of the application's own"
export type None = {}

/**
 * The data of the `succeeded` event: `Events<E>['succeeded']`. It is a conditional type so that it also resolves while `E` is still a type parameter.
 */
export type Result<E> = E extends { succeeded: infer S } ? S : StandardEvents['succeeded']

/**
 * What the connection is doing for a job:
 * - `idle`: nobody follows the job, or there is nothing to read.
 * - `connecting`: transports are being tried.
 * - `live`: a transport delivers.
 * - `waiting`: no attempt is made before `retryAt`.
 * - `offline`: as `waiting`, while the browser reports that it has no network.
 * - `closed`: the job's end is known, or delivery has failed for good.
 */
export type ConnectionPhase = 'idle' | 'connecting' | 'live' | 'waiting' | 'offline' | 'closed'

/** How the connection stands. A frozen snapshot; a new object after each change. */
export interface ConnectionState {
  /** What the connection is doing. */
  readonly phase: ConnectionPhase
  /** The name of the transport that delivers now, `read-once` while a slow reader catches up; `undefined` unless `phase` is `live`. */
  readonly transport: string | undefined
  /** How many races in a row have delivered nothing. */
  readonly attempt: number
  /** When the next attempt begins, in ms since 1970; `undefined` unless `phase` is `waiting` or `offline`. */
  readonly retryAt: number | undefined
  /** The latest failure; `undefined` while `phase` is `live` or `idle`, and before anything has failed. */
  readonly problem: ConnectionProblem | undefined
}

/** Why a transport failed: `reason` is for a program, `message` for a developer. */
export interface ConnectionProblem {
  /** The transport's name; `token` where the token or header source has failed. */
  readonly transport: string
  /** The kind of failure. */
  readonly reason: FailureReason
  /** The HTTP status of the answer; `undefined` where there was none, or the browser hides it. */
  readonly status: number | undefined
  /** What was tried and what came, in English. */
  readonly message: string
}

/** What is known of a job. A frozen snapshot; a new object after each change, so that two states can be compared by identity. */
export interface JobState<E = None> {
  /** The job's status; `unknown` until the server has told it. */
  readonly status: 'unknown' | JobStatus
  /** The data of the latest `progress` event: a frozen copy, not the event's own object. `undefined` before the first one. */
  readonly progress: Readonly<ProgressData> | undefined
  /** The job's result; `undefined` unless `status` is `succeeded`. */
  readonly result: Result<E> | undefined
  /** A `JobFailedError` where the job failed or was cancelled, a `JobtailError` where delivery failed for good; otherwise `undefined`. */
  readonly error: JobtailError | JobFailedError | undefined
  /**
   * The id of the last event that the loop took, at first `after`. Store it, and pass it as `after` to resume there, for example after a reload. With
   * `after: 'tail'` it is `undefined` until the server has told where the tail is, then the cursor there.
   */
  readonly lastEventId: string | undefined
  /** How the connection stands. */
  readonly connection: ConnectionState
}
