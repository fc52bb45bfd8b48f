import type { JobSnapshot } from '../protocol/frames.ts'
import { isTerminal } from '../protocol/rules.ts'
import { badRequest, unknownJob } from './http-error.ts'
import type { EventLog } from './log/types.ts'
import { isLogError } from './log/types.ts'

/** The longest reason, in characters. */
const MAX_REASON = 1000

/** The data of `cancelling` (PROTOCOL.md §1). */
export interface Cancellation {
  reason?: string
}

/** Parses the body of a cancel: empty, or JSON with an optional `reason`. Ignores other members. Throws an `HttpError` 400. */
export function parseCancellation(body: string): Cancellation {
  if (body.trim() === '') return {}
  let value: unknown
  try {
    value = JSON.parse(body)
  } catch {
    throw badRequest('body: expected an empty body, or JSON such as {"reason":"…"}')
  }
  if (typeof value !== 'object' || Array.isArray(value))
    throw badRequest(`body: expected an object such as {"reason":"…"}, got ${JSON.stringify(value).slice(0, 80)}`)
  const reason: unknown = value !== null && 'reason' in value ? value.reason : undefined
  if (reason == null) return {}
  if (typeof reason !== 'string') throw badRequest(`reason: expected a string, got ${JSON.stringify(reason).slice(0, 80)}`)
  if (reason.length > MAX_REASON) throw badRequest(`reason: expected at most ${MAX_REASON} characters, got ${reason.length}`)
  return { reason }
}

/** Appends `cancelling`, unless the job has ended or has that event already. Resolves with the snapshot. Throws an `HttpError` 404 for an unknown job. */
export async function cancelJob(jobId: string, log: EventLog, data: Cancellation = {}): Promise<JobSnapshot> {
  const snapshot = await log.snapshot(jobId)
  if (!snapshot) throw unknownJob()
  if (isTerminal(snapshot.status) || snapshot.cancelling !== undefined) return snapshot
  try {
    // The `appendId` makes one event of several cancels at the same time.
    await log.append(jobId, 'cancelling', data, { appendId: 'cancel' })
  } catch (error) {
    // `ended`: the job has ended since the snapshot was read.
    if (!isLogError(error, 'ended')) throw error
  }
  return (await log.snapshot(jobId)) ?? snapshot
}
