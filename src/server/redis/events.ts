/** Converts events and snapshots to the scripts' arguments, and from their replies. */

import type { JobSnapshot, JobStatus, WireEvent } from '../../protocol/frames.ts'
import { isTerminal } from '../../protocol/rules.ts'
import { statusAfter } from '../../protocol/status.ts'
import { createEvent, withoutMark } from '../encode.ts'
import { progressIn } from '../log/entry.ts'
import type { Arguments } from './arguments.ts'

/** How the snapshot changes by a sequence of events, as arguments of APPEND. */
export function changesBy(types: readonly string[]): Partial<Arguments> {
  const changes: Partial<Arguments> = {}
  for (const [index, type] of types.entries()) {
    const status = nextStatus(type)
    if (status) changes.status = status
    const field = fieldOf(type)
    if (field) changes[field] = String(index + 1)
  }
  if (isTerminal(types.at(-1) ?? '')) changes.last = '1'
  return changes
}

/** The job's status after an event of this type; `undefined` where it stays as it is. */
function nextStatus(type: string): JobStatus | undefined {
  const next = statusAfter(type, 'queued')
  return next === statusAfter(type, 'running') ? next : undefined
}

function fieldOf(type: string): 'progress' | 'result' | 'error' | 'cancelling' | undefined {
  if (type === 'progress' || type === 'cancelling') return type
  if (type === 'succeeded') return 'result'
  return isTerminal(type) ? 'error' : undefined
}

export const eventOf = (job: string, epoch: string, seq: number, type: string, ms: number, json: string): WireEvent =>
  createEvent(`${epoch}-${seq}`, seq, job, type, new Date(ms).toISOString(), json)

export function snapshotOf(snapshot: JobSnapshot, [progress, result, error, cancelling]: (string | null)[]): JobSnapshot {
  const known = progress == null ? undefined : progressIn(withoutMark(JSON.parse(progress)))
  if (known) snapshot.progress = known
  if (result != null) snapshot.result = JSON.parse(result)
  if (error != null) snapshot.error = JSON.parse(error)
  if (cancelling != null) snapshot.cancelling = JSON.parse(cancelling)
  return snapshot
}
