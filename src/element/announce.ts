/** When a screen reader is told how a job is. */

/** What a person is told of a job. */
export interface Said {
  /** The job's status; `error` where it can no longer be followed. */
  status: string
  /** What is being done. */
  stage: string
  /** How many quarters are done, from 0 to 4. */
  quarter: number
  /** There has been no connection for a while. */
  isLost: boolean
  /** When, in ms. */
  at: number
}

/** So long nothing more is said, but for a change of the status. */
export const PAUSE_MS = 5000

export const isEnd = (status: string): boolean => /^(succeeded|failed|cancelled|error)$/.test(status)

/**
 * Whether to say it now. `before` is what was said last; `undefined`: nothing yet.
 * - A change of the status is said at once; an end that was there before the page was is not said.
 * - A new stage, the next quarter and the loss of the connection are said 5 s after the last thing that was said, at the earliest.
 */
export function isNews(before: Said | undefined, now: Said): boolean {
  if (!before) return now.status !== 'unknown' && !isEnd(now.status)
  if (now.status !== before.status) return true
  return now.at - before.at >= PAUSE_MS && (now.stage !== before.stage || now.quarter > before.quarter || now.isLost > before.isLost)
}
