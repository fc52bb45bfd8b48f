import type { JobSnapshot, WireEvent } from '../../protocol/frames.ts'

/** Where events are kept. Every reading goes through `read`; a wake-up says only that reading may be worth while. */
export interface EventLog {
  /**
   * Appends the job's next event, creating the job with its first one. Rejects with a `LogError`: `ended` after a terminal event,
   * `conflict` where `expectSeq` is given and the last event's seq is another one (0: the job must not exist yet).
   * Rejects with a `TypeError` for a bad job id or type, or data that is not JSON. `undefined` data is written as `null`.
   */
  append(jobId: string, type: string, data: unknown, options?: { expectSeq?: number }): Promise<WireEvent>
  /** At most `limit` (from 1) events after a cursor; from the oldest retained without one, or with one that is not of this log or no longer in it. `undefined`: no such job. A log may reject with `history-gone` for a job that it remembers having dropped. */
  read(jobId: string, after: string | undefined, limit: number): Promise<LogPage | undefined>
  /** Where the job stands; kept beside the events, so that trimming doesn't lose it. */
  snapshot(jobId: string): Promise<JobSnapshot | undefined>
  /** Calls `wake` after each append from now on, whoever appends: resolves once listening is active. Wakes also after listening was interrupted and is active again. Returns how to stop. */
  watch(jobId: string, wake: () => void): Promise<() => void>
  close(): Promise<void>
}

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
}

export type LogErrorCode = 'ended' | 'conflict' | 'history-gone' | 'unavailable' | 'closed'

/** An append or a read that the log refuses; `code` says why. */
export class LogError extends Error {
  override readonly name = 'LogError'
  readonly code: LogErrorCode

  constructor(code: LogErrorCode, message: string, options?: { cause?: unknown }) {
    super(message, options)
    this.code = code
  }
}

export const isLogError = (error: unknown, code: LogErrorCode): boolean => error instanceof LogError && error.code === code
