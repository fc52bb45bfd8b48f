/** The types of events, and of their data. */

import type { ProgressData } from './frames.ts'

/** The data of each event type, by the conventions of PROTOCOL.md §1. A server may send other fields beside these. */
export interface StandardEvents {
  /** The job waits to be run. `position`: how many jobs waited, this one included. A server may tell it again as the job moves up. */
  queued: { position?: number }
  /** The work has begun. `attempt` counts from 1 where the server runs a job again. */
  started: { attempt?: number }
  /** How far the work is. */
  progress: ProgressData
  /** A line of the job's log output. */
  log: { level: string; message: string }
  /** A part of the result. */
  output: unknown
  /** The work has failed and will be run again. */
  retrying: unknown
  /** The work waits for a person, or for something else outside. The job's status stays `running`. */
  waiting: { for: string; prompt?: unknown }
  /** Somebody has asked to cancel the job. */
  cancelling: { reason?: string }
  /** Terminal: the job's result. */
  succeeded: unknown
  /** Terminal: the job has failed. `retryable`: starting it again may succeed. */
  failed: { code: string; message: string; retryable?: boolean; details?: unknown }
  /** Terminal: the job was cancelled. */
  cancelled: { reason?: string }
  /**
   * Made by the client where events are lost. `missed`: how many, `undefined` where nobody knows. `reason`: the server has dropped them
   * (`retention`), or the log was replaced by another one (`epoch`).
   */
  gap: { missed: number | undefined; reason: 'retention' | 'epoch' }
}

/** The data of each event type: the standard ones, replaced and extended by the application's `E`. */
export type Events<E> = Omit<StandardEvents, keyof E> & E

// biome-ignore lint/complexity/noBannedTypes: {} is "no events of the application's own"
type None = {}

/**
 * One event of a job's log. `id` is its cursor, `seq` its number in the log from 1, `job` the job's id, `time` the server's clock in RFC
 * 3339 (UTC). A `gap` has the `id` and `seq` of the last event before it; where there is none, the starting cursor and 0.
 */
export type JobEvent<E = None> = {
  [T in keyof Events<E> & string]: { id: string; seq: number; job: string; time: string; type: T; data: Events<E>[T] }
}[keyof Events<E> & string]
