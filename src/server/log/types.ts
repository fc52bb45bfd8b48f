import type { JobSnapshot, WireEvent } from '../../protocol/frames.ts'

/** Conditions and extras of an append. */
export interface AppendOptions {
  /** Optimistic concurrency: rejects with `conflict` unless the job's last event has this `seq`. 0: the job must not exist yet. */
  expectSeq?: number
  /**
   * Makes the append idempotent: repeated under the same id it appends nothing, and resolves with the first one's events. 1 to 256 characters. A log searches
   * the job's latest 1,000 events for the id, or more.
   */
  appendId?: string
  /** This `appendId` has never been sent before, so that the log need not search for it. */
  firstTry?: boolean
  /**
   * Takes or renews the job's lease for `owner` (1 to 256 characters), for `ms` from now (1 to 2³¹ − 1). Rejects with `conflict` where another owner holds it.
   * An expired lease never passes to another owner: it ends the job, or with `rerun` queues it again.
   */
  lease?: { owner: string; ms: number }
  /**
   * Only with `lease`: queues the job again where its lease expires, instead of ending it, until it has had `maxAttempts`. The log keeps `input` until the job
   * ends, shows it to no reader, and gives it to the next owner, who takes the lease by `EventLog.adopt`. A log without `adopt` ignores `rerun`.
   */
  rerun?: { input: string; maxAttempts: number }
}

/** A job that was taken over by `EventLog.adopt`. */
export interface Adopted {
  /** The `input` of `AppendOptions.rerun`. */
  input: string
  /** Which run this is: 1 for the first, 2 for the first rerun. */
  attempt: number
}

/** An event to append. */
export interface Entry {
  /** 1 to 64 characters of `[A-Za-z0-9._-]`; `gap` is reserved. */
  type: string
  /** Any value that JSON can carry. */
  data: unknown
}

/** What a watcher gets in place of an event type: the job's lease has expired. Its owner may still renew it, within a grace of up to 3 s. */
export const LEASE_IS_OVER = '?lease'

/**
 * Stores the events of jobs. Implement it for a store of your own, and run `describeEventLog` of `jobtail/testing` on it.
 *
 * All data comes from `read` and `snapshot`. A wake-up (`watch`) carries no data: it says only that reading may bring something new.
 *
 * **Leases.** A process that runs a job holds its lease and renews it. Once a lease has expired, the next call that touches the job (append, read, snapshot;
 * or a timer of the log) wakes the watchers with `LEASE_IS_OVER`. The owner may renew it for another 3 s, or for the lease's own length where that is
 * shorter. Then the log ends the job with `failed {code: 'lost', message, retryable: true}`. A job that has `rerun`, attempts left and no `cancelling` is
 * queued again instead, without a lease: the log appends `retrying {code: 'lost', attempt, message}`, with the number of the next attempt, and `queued {}` as
 * one step.
 */
export interface EventLog {
  /**
   * Appends the job's next event, and creates the job with its first one. Atomic: `seq` has no holes. `undefined` data is stored as `null`.
   *
   * @throws {LogError} `ended` after a terminal event; `conflict` where `expectSeq` or `lease` isn't met; `unavailable` where the store can't be reached: the
   * event may be stored or not; `closed` after `close()`.
   * @throws {TypeError} for a malformed job id, event type or option, and for data that JSON can't carry.
   */
  append(jobId: string, type: string, data: unknown, options?: AppendOptions): Promise<WireEvent>
  /**
   * Appends several events as one: all or none, with nothing in between. Only the last may be terminal (`TypeError`). Rejects as `append` does.
   * Where a log has no `appendMany`, the server appends the events one by one.
   */
  appendMany?: ((jobId: string, entries: readonly Entry[], options?: AppendOptions) => Promise<WireEvent[]>) | undefined
  /**
   * Reads at most `limit` (from 1) events after the cursor `after`. Reads from the oldest retained event without a cursor, and with one that is foreign to this
   * log or no longer retained. Resolves with `undefined` for an unknown job.
   *
   * @throws {LogError} `history-gone`, optionally, for a job that the log remembers having dropped; `unavailable`; `closed`.
   */
  read(jobId: string, after: string | undefined, limit: number): Promise<LogPage | undefined>
  /** The job's state. It is kept beside the events, so that retention doesn't lose it. `undefined` for an unknown job. Rejects as `read` does. */
  snapshot(jobId: string): Promise<JobSnapshot | undefined>
  /**
   * Calls `wake` after each append of any process, from the moment that the promise resolves. Also calls it where appends may have been missed, as after a
   * lost connection. `what` is the type of the last event appended, or `LEASE_IS_OVER`; `undefined`: anything may have happened. Resolves with a function
   * that stops.
   */
  watch(jobId: string, wake: (what?: string) => void): Promise<() => void>
  /**
   * Takes the job's lease where nobody holds it, or renews it, for `ms` from now. Resolves with `false` where the lease is lost: the job has ended, or another
   * owner holds it. `true` for a job that the log doesn't know, or no longer: nobody else holds it. 0 ms releases the lease, and wakes the watchers of a job
   * with `rerun` with `queued`.
   */
  renew(jobId: string, owner: string, ms: number): Promise<boolean>
  /**
   * Takes the lease of a job that has `rerun`, has not ended, and whose lease no other owner holds. Of several callers one gets it. `undefined`: there is
   * nothing to take. A log without `adopt` can't run jobs again (`onLost: 'rerun'`).
   */
  adopt?: ((jobId: string, owner: string, ms: number) => Promise<Adopted | undefined>) | undefined
  /** Deletes the job. What is appended later begins a new log, of another epoch. */
  reset(jobId: string): Promise<void>
  /**
   * Tries out whether jobs can be appended, read and watched. Rejects where they can't. Resolves with warnings, in words, about what may harm jobs later.
   * Where a log has no `check`, `health()` of the server only reads.
   */
  check?: (() => Promise<string[]>) | undefined
  /** Releases connections and timers. Calls afterwards reject with `closed`. */
  close(): Promise<void>
}

/**
 * How long an owner may still renew a lease of `ms` after somebody has found it expired. Without a grace, an outage of the log or a pause of the process that
 * is longer than the lease would end every running job.
 */
export const graceOf = (ms: number): number => Math.min(ms, 3000)

/** What `EventLog.read` found. */
export interface LogPage {
  /** In the order of `seq`, without holes. */
  events: WireEvent[]
  /** The log's epoch (PROTOCOL.md §1): another one than before means that the log was replaced. */
  epoch: string
  /** The position that `events` follow, also where there are none: the first event has `seq` + 1. 0: the beginning. */
  seq: number
  /** The cursor of the position `seq`. Never empty, also at 0. */
  cursor: string
  /** The job has ended, and its terminal event is in this page or before it. */
  done: boolean
  /** There are events after this page. */
  more: boolean
  /** In how many ms the job's lease expires, where it has one. A log whose `read` ends such jobs should be read again by then. */
  leaseMs?: number | undefined
}

/**
 * Why a log, or a run, refused. `ended`: the job has a terminal event. `conflict`: `expectSeq` isn't met, another owner holds the lease, or the job has started
 * already. `history-gone`: the job and its log were dropped. `unavailable`: the store can't be reached for now. `busy`: too many jobs wait to run.
 * `closed`: the log, or the server, is closed.
 */
export type LogErrorCode = 'ended' | 'conflict' | 'history-gone' | 'unavailable' | 'busy' | 'closed'

/** An append, a read or a run that was refused. `code` says why. */
export class LogError extends Error {
  override readonly name = 'LogError'
  /** Why it was refused. */
  readonly code: LogErrorCode

  constructor(code: LogErrorCode, message: string, options?: { cause?: unknown }) {
    super(message, options)
    this.code = code
  }
}

/** The code of a `LogError`. Recognised by its name, not by `instanceof`: a bundler may put two copies of this class into one process. */
export const logErrorCode = (error: unknown): LogErrorCode | undefined =>
  error instanceof Error && error.name === 'LogError' && 'code' in error ? (error.code as LogErrorCode) : undefined // as: by its name

export const isLogError = (error: unknown, code: LogErrorCode): boolean => logErrorCode(error) === code
