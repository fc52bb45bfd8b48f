/** The errors of logs, with one text for all of them. */

import { LogError } from './types.ts'

export const closedError = (): LogError => new LogError('closed', 'the log is closed')

export const endedError = (jobId: string, type: string | undefined, status: unknown): LogError =>
  new LogError('ended', `job ${JSON.stringify(jobId)} has ended with "${status}": "${type}" cannot be appended`)

/** `expectSeq` isn't met. */
export const seqConflict = (jobId: string, type: string | undefined, expectSeq: number | undefined, seq: unknown): LogError =>
  new LogError('conflict', `job ${JSON.stringify(jobId)}: expected "${type}" to follow seq ${expectSeq} (expectSeq), got seq ${seq}`)

/** Another owner holds the lease. */
export const leaseConflict = (jobId: string): LogError => new LogError('conflict', `job ${JSON.stringify(jobId)}: another owner holds its lease`)

/** `orElse`: why the job may have been dropped sooner. */
export const historyGoneError = (jobId: string, ttlMs: number, orElse = ''): LogError =>
  new LogError('history-gone', `job ${JSON.stringify(jobId)} and its log were dropped: it ended more than ${ttlMs} ms ago (ttlMs)${orElse}`)
