/** The events of a job by type: what a reader's code sees of them. */

import type { ProgressData } from './frames.ts'

/** `data` by event type, as the protocol's conventions have it. */
export interface StandardEvents {
  queued: { position?: number }
  started: { attempt?: number }
  progress: ProgressData
  log: { level: string; message: string }
  /** A partial result. */
  output: unknown
  retrying: unknown
  /** For a person, or whatever else is outside; the job's status stays as it is. */
  waiting: { for: string; prompt?: unknown }
  cancelling: { reason?: string }
  succeeded: unknown
  failed: { code: string; message: string; retryable?: boolean; details?: unknown }
  cancelled: { reason?: string }
  /** Made by the client where history is lost: `missed` events, or an unknown number. */
  gap: { missed: number | undefined; reason: 'retention' | 'epoch' }
}

/** The standard events, with the application's own in place of or beside them. */
export type Events<E> = Omit<StandardEvents, keyof E> & E

// biome-ignore lint/complexity/noBannedTypes: {} is "no events of the application's own"
type None = {}

/** One event of a job's log. A `gap` has the id and seq of the last event before it, or the starting cursor and 0. */
export type JobEvent<E = None> = {
  [T in keyof Events<E> & string]: { id: string; seq: number; job: string; time: string; type: T; data: Events<E>[T] }
}[keyof Events<E> & string]
