import type { JobSnapshot, WireEvent } from '../../protocol/frames.ts'

/** What an append may ask for besides. */
export interface AppendOptions {
  /** The last event's seq has to be this one (0: the job must not exist yet); else `conflict`. */
  expectSeq?: number
  /** Names this append: repeated under the same name, it is there once, and the first one's event is answered. A log looks for it among a job's latest 1,000 events at least. */
  appendId?: string
  /** Nobody has tried this `appendId` before: the log need not look for it. */
  firstTry?: boolean
  /** Takes or renews the job's lease for `owner` for `ms`. Where another owner holds it: `conflict`. A lease that is over doesn't pass to another: it ends the job. */
  lease?: { owner: string; ms: number }
  /**
   * With `lease`: where that is over, the job is queued again instead of ended, until it has had `maxAttempts`; who runs it next is given `input`, a text that
   * the log keeps until the job ends and shows no reader. From then on the lease passes to others by `EventLog.adopt` only. A log without `adopt` ignores it.
   */
  rerun?: { input: string; maxAttempts: number }
}

/** What whoever runs a job again is given. */
export interface Adopted {
  /** That of `AppendOptions.rerun`. */
  input: string
  /** 1 for the first. */
  attempt: number
}

/** An event that has not been appended yet. */
export interface Entry {
  type: string
  data: unknown
}

/** What a watcher is told where it was no event that woke it: a lease is over, and its owner may still renew it. */
export const LEASE_IS_OVER = '?lease'

/**
 * Where events are kept. Every reading goes through `read`; a wake-up says only that reading may be worth while.
 *
 * A job may have a lease: somebody says that he works at it, until then. Where it is over, whoever looks at the job (append, read, snapshot, or the log
 * itself) warns its owner by a wake-up, and ends it once `graceOf` the lease has passed as well: `failed {code: 'lost', retryable: true}`, as one step. A job
 * that has `rerun`, attempts left and no `cancelling` is queued again instead, without a lease: `retrying {code: 'lost', attempt, message}` and `queued {}`, as
 * one step; `attempt` is the next one.
 */
export interface EventLog {
  /**
   * Appends the job's next event, creating the job with its first one. Rejects with a `LogError`: `ended` after a terminal event,
   * `conflict` where `expectSeq` or `lease` doesn't hold.
   * Rejects with a `TypeError` for a bad job id or type, or data that is not JSON. `undefined` data is written as `null`.
   */
  append(jobId: string, type: string, data: unknown, options?: AppendOptions): Promise<WireEvent>
  /** Several in a row as one append: all of them or none, with nothing in between; only the last may be terminal. Without it they are appended one by one. */
  appendMany?: ((jobId: string, entries: readonly Entry[], options?: AppendOptions) => Promise<WireEvent[]>) | undefined
  /** At most `limit` (from 1) events after a cursor; from the oldest retained without one, or with one that is not of this log or no longer in it. `undefined`: no such job. A log may reject with `history-gone` for a job that it remembers having dropped. */
  read(jobId: string, after: string | undefined, limit: number): Promise<LogPage | undefined>
  /** Where the job stands; kept beside the events, so that trimming doesn't lose it. */
  snapshot(jobId: string): Promise<JobSnapshot | undefined>
  /**
   * Calls `wake` after each append from now on, whoever appends: resolves once listening is active. Wakes also after listening was interrupted and is active
   * again. `what` is the type of what was appended last, or `LEASE_IS_OVER`; `undefined`: anything may have been. Returns how to stop.
   */
  watch(jobId: string, wake: (what?: string) => void): Promise<() => void>
  /** Takes the job's lease where nobody has it, or renews it. False: it is lost, since the job has ended or another owner has it. True for a job that the log doesn't know (any more): nobody else has it. 0 ms gives it up: then nobody has it, and a job that has `rerun` wakes as `queued`. */
  renew(jobId: string, owner: string, ms: number): Promise<boolean>
  /**
   * Takes the lease of a job that has `rerun`, has not ended, and whose lease nobody else has: of several who ask, one gets it, and is told what to run.
   * `undefined`: there is nothing to take. Without it the log can't run jobs again.
   */
  adopt?: ((jobId: string, owner: string, ms: number) => Promise<Adopted | undefined>) | undefined
  /** Forgets the job as if it had never been; what is appended later begins a log of another epoch. */
  reset(jobId: string): Promise<void>
  /** Whether jobs can be appended to, read and listened to, tried out. Rejects where not; resolves with what may harm them later, in words. Without it only reading is tried. */
  check?: (() => Promise<string[]>) | undefined
  close(): Promise<void>
}

/** How long an owner may still renew a lease of `ms` that somebody has found to be over: after an outage of the log, or a pause of its process, all leases are. */
export const graceOf = (ms: number): number => Math.min(ms, 3000)

export interface LogPage {
  events: WireEvent[]
  epoch: string
  /** The position that `events` follow, or would: `seq` and its `cursor`, also at 0. */
  seq: number
  cursor: string
  /** The terminal event is in this page or before it. */
  done: boolean
  /** There are events after this page. */
  more: boolean
  /** The job has a lease, which is over in so many ms: a log whose `read` ends such jobs should be read again by then. */
  leaseMs?: number | undefined
}

export type LogErrorCode = 'ended' | 'conflict' | 'history-gone' | 'unavailable' | 'busy' | 'closed'

/** An append, a read or a run that is refused; `code` says why. `busy`: too many jobs wait to be run. */
export class LogError extends Error {
  override readonly name = 'LogError'
  readonly code: LogErrorCode

  constructor(code: LogErrorCode, message: string, options?: { cause?: unknown }) {
    super(message, options)
    this.code = code
  }
}

/** Of a log's error, also of one that another copy of the library made: a bundler may put it into a process twice. */
export const logErrorCode = (error: unknown): LogErrorCode | undefined =>
  error instanceof Error && error.name === 'LogError' && 'code' in error ? (error.code as LogErrorCode) : undefined // as: by its name

export const isLogError = (error: unknown, code: LogErrorCode): boolean => logErrorCode(error) === code
