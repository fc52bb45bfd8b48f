import type { JobSnapshot } from '../protocol/frames.ts'
import { isTerminal } from '../protocol/rules.ts'
import { badRequest, unknownJob } from './http-error.ts'
import type { EventLog } from './log/types.ts'
import { isLogError } from './log/types.ts'

/** In characters. */
const MAX_REASON = 1000

/** What `cancelling` says (PROTOCOL.md §1). */
export interface Cancellation {
  reason?: string
}

/** From the body of a cancel: nothing, or JSON with a reason; other members are passed over. */
export function cancellation(body: string): Cancellation {
  if (body.trim() === '') return {}
  let value: unknown
  try {
    value = JSON.parse(body)
  } catch {
    throw badRequest('body: expected nothing, or JSON such as {"reason":"…"}')
  }
  if (typeof value !== 'object' || Array.isArray(value))
    throw badRequest(`body: expected an object such as {"reason":"…"}, got ${JSON.stringify(value).slice(0, 80)}`)
  const reason: unknown = value !== null && 'reason' in value ? value.reason : undefined
  if (reason == null) return {}
  if (typeof reason !== 'string') throw badRequest(`reason: expected text, got ${JSON.stringify(reason).slice(0, 80)}`)
  if (reason.length > MAX_REASON) throw badRequest(`reason: expected at most ${MAX_REASON} characters, got ${reason.length}`)
  return { reason }
}

/** Appends `cancelling`, unless the job has ended or it is there already. Resolves with the snapshot after it. */
export async function cancelJob(jobId: string, log: EventLog, data: Cancellation = {}): Promise<JobSnapshot> {
  const snapshot = await log.snapshot(jobId)
  if (!snapshot) throw unknownJob()
  if (isTerminal(snapshot.status) || snapshot.cancelling !== undefined) return snapshot
  try {
    // By its name: of several at once, one is there.
    await log.append(jobId, 'cancelling', data, { appendId: 'cancel' })
  } catch (error) {
    // The job has ended meanwhile.
    if (!isLogError(error, 'ended')) throw error
  }
  return (await log.snapshot(jobId)) ?? snapshot
}
