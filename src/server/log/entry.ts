import type { JobSnapshot, ProgressData } from '../../protocol/frames.ts'
import { isEventType, isJobId, isTerminal } from '../../protocol/rules.ts'
import { statusAfter } from '../../protocol/status.ts'

/** A value as an error's message quotes it. */
export const show = (value: unknown): string => {
  const text = typeof value === 'string' ? JSON.stringify(value) : String(value)
  return text.length > 80 ? `${text.slice(0, 80)}…` : text
}

export function checkJobId(jobId: unknown): asserts jobId is string {
  if (!isJobId(jobId)) throw new TypeError(`job id: expected 1 to 256 UTF-8 bytes, not ".", ".." or "events", got ${show(jobId)}`)
}

/** What an append is given, checked but for the job's id: its data as JSON text. Throws a `TypeError` that names what was wrong. */
export function checkEntry(jobId: string, type: unknown, data: unknown): string {
  if (!isEventType(type) || type === 'gap') throw new TypeError(`event type: expected 1 to 64 of [A-Za-z0-9._-], not the reserved "gap", got ${show(type)}`)
  if (data === undefined) return 'null'
  let json: string | undefined
  try {
    json = JSON.stringify(data)
  } catch (cause) {
    throw new TypeError(`${expected(jobId, type)} (${cause instanceof Error ? cause.message.split('\n')[0] : String(cause)})`, { cause })
  }
  if (json === undefined) throw new TypeError(`${expected(jobId, type)}, got a ${typeof data}`)
  return json
}

const expected = (jobId: string, type: string): string => `data of "${type}" for job ${show(jobId)}: expected what JSON can carry`

/** The snapshot after one more event. */
export function snapshotAfter(before: JobSnapshot, event: { id: string; seq: number; type: string; data: unknown }): JobSnapshot {
  const { type, data } = event
  const after: JobSnapshot = { ...before, status: statusAfter(type, before.status), seq: event.seq, cursor: event.id }
  if (type === 'progress') after.progress = data as ProgressData // as: by convention; passed on to clients, who check it
  if (type === 'succeeded') after.result = data
  else if (isTerminal(type)) after.error = data
  return after
}
