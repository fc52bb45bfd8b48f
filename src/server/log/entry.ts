import type { JobSnapshot, ProgressData } from '../../protocol/frames.ts'
import { isEventType, isJobId, isTerminal } from '../../protocol/rules.ts'
import { statusAfter } from '../../protocol/status.ts'
import { byteLength } from '../platform.ts'
import type { AppendOptions, Entry } from './types.ts'

/** A value as error messages quote it: at most 80 characters. */
export const show = (value: unknown): string => {
  const text = typeof value === 'string' ? JSON.stringify(value) : String(value)
  return text.length > 80 ? `${text.slice(0, 80)}…` : text
}

export function checkJobId(jobId: unknown): asserts jobId is string {
  if (!isJobId(jobId)) throw new TypeError(`job id: expected 1 to 256 UTF-8 bytes, not ".", ".." or "events", got ${show(jobId)}`)
}

/** Event data that has been serialised already, so that a log doesn't serialise it a second time. */
export class JsonText {
  readonly text: string

  constructor(text: string) {
    this.text = text
  }

  toJSON(): unknown {
    return JSON.parse(this.text)
  }
}

/** Checks an event's type and data, and serialises the data. Throws a `TypeError` that names what was wrong. Doesn't check the job id. */
export function checkEntry(jobId: string, type: unknown, data: unknown): string {
  if (!isEventType(type) || type === 'gap')
    throw new TypeError(`event type: expected 1 to 64 characters of [A-Za-z0-9._-], not the reserved "gap", got ${show(type)}`)
  if (data === undefined) return 'null'
  if (data instanceof JsonText) return data.text
  let json: string | undefined
  try {
    json = JSON.stringify(data)
  } catch (cause) {
    throw new TypeError(`${expected(jobId, type)} (${cause instanceof Error ? cause.message.split('\n')[0] : String(cause)})`, { cause })
  }
  if (json === undefined) throw new TypeError(`${expected(jobId, type)}, got a ${typeof data}`)
  return json
}

/** Checks the events of one append, and serialises their data. Throws a `TypeError` also where a terminal event isn't the last. */
export function checkEntries(jobId: string, entries: readonly Entry[]): string[] {
  const texts = entries.map(({ type, data }) => checkEntry(jobId, type, data))
  const terminal = entries.findIndex(({ type }) => isTerminal(type))
  if (terminal >= 0 && terminal < entries.length - 1)
    throw new TypeError(`entries: expected the terminal event "${entries[terminal]?.type}" to be last, got ${entries.length - 1 - terminal} after it`)
  return texts
}

const expected = (jobId: string, type: string): string => `data of "${type}" for job ${show(jobId)}: expected a value that JSON can carry`

/** Throws a `RangeError` for data of more than `maxEventBytes`. */
export function checkDataSize(jobId: string, type: string, json: string, maxEventBytes: number): void {
  const bytes = json.length * 3 > maxEventBytes ? byteLength(json) : 0
  if (bytes > maxEventBytes)
    throw new RangeError(`data of "${type}" for job ${show(jobId)}: expected at most ${maxEventBytes} bytes of JSON (maxEventBytes), got ${bytes}`)
}

/** Checks the options of an append. Throws a `TypeError` or `RangeError` that names the option. */
export function checkAppend({ expectSeq, appendId, lease, rerun }: AppendOptions): void {
  if (expectSeq !== undefined && !(Number.isSafeInteger(expectSeq) && expectSeq >= 0))
    throw new TypeError(`expectSeq: expected an integer from 0, got ${show(expectSeq)}`)
  if (appendId !== undefined && !isName(appendId)) throw new TypeError(`appendId: expected 1 to 256 characters, got ${show(appendId)}`)
  if (lease !== undefined) checkLease(lease.owner, lease.ms)
  if (rerun !== undefined) checkRerun(rerun, lease !== undefined)
}

function checkRerun({ input, maxAttempts }: NonNullable<AppendOptions['rerun']>, hasLease: boolean): void {
  if (!hasLease) throw new TypeError('rerun: expected with a lease, got none')
  if (typeof input !== 'string') throw new TypeError(`rerun.input: expected text, got ${show(input)}`)
  if (!(Number.isSafeInteger(maxAttempts) && maxAttempts >= 1)) throw new RangeError(`rerun.maxAttempts: expected an integer from 1, got ${show(maxAttempts)}`)
}

export function checkLease(owner: string, ms: number): void {
  if (!isName(owner)) throw new TypeError(`lease.owner: expected 1 to 256 characters, got ${show(owner)}`)
  if (!(typeof ms === 'number' && ms >= 1 && ms <= MAX_LEASE_MS)) throw new RangeError(`lease.ms: expected a number from 1 to ${MAX_LEASE_MS}, got ${show(ms)}`)
}

/** The longest delay that `setTimeout` takes. */
const MAX_LEASE_MS = 2 ** 31 - 1
const isName = (value: unknown): boolean => typeof value === 'string' && value.length >= 1 && value.length <= 256

/** The data of `failed` for a job whose lease of `ms` has expired. */
export const lostData = (ms: number | string): { code: string; message: string; retryable: boolean } => ({
  code: 'lost',
  message: `nobody runs the job any more: its lease of ${ms} ms was not renewed`,
  retryable: true
})

/** The data of `retrying` for a job whose lease of `ms` has expired, and which is queued again. `attempt` is the next one. */
export const rerunData = (ms: number | string, attempt: number | string): { code: string; attempt: number | string; message: string } => ({
  code: 'lost',
  attempt,
  message: `nobody runs the job any more: its lease of ${ms} ms was not renewed; it is run again`
})

/**
 * The `progress` of a snapshot, from the data of an event (PROTOCOL.md §1). A number up to 1 is a ratio, a larger one a percentage. `undefined` for data that
 * is neither a number nor an object.
 */
export function progressIn(data: unknown): ProgressData | undefined {
  if (typeof data === 'number') return { ratio: Math.min(1, Math.max(0, data > 1 ? data / 100 : data)) }
  return typeof data === 'object' && data !== null && !Array.isArray(data) ? data : undefined
}

/** The snapshot that follows from the one before and one more event. */
export function snapshotAfter(before: JobSnapshot, event: { id: string; seq: number; type: string; data: unknown }): JobSnapshot {
  const { type, data } = event
  const after: JobSnapshot = { ...before, status: statusAfter(type, before.status), seq: event.seq, cursor: event.id }
  const progress = type === 'progress' ? progressIn(data) : undefined
  if (progress) after.progress = progress
  if (type === 'cancelling') after.cancelling = data
  if (type === 'succeeded') after.result = data
  else if (isTerminal(type)) after.error = data
  return after
}
