import { isDeepStrictEqual } from 'node:util'
import type { JobStatus, ProgressData } from '../../protocol/frames.ts'

/** An entry of a queue's stream of events. */
export interface QueueEntry {
  id: string
  event: string
  jobId: string
  fields: Readonly<Record<string, string>>
}

/** A job's state in its queue. */
export interface QueuedJob {
  name: string
  state: string
  /** How many attempts have begun. */
  attempts: number
  /** How many attempts have failed and were followed by another one, or will be. */
  failures: number
  progress: unknown
  result: unknown
  failedReason: string | undefined
  finishedOn: number | undefined
}

/** How far the queue is logged. Every event but the terminal one carries a mark (`withMark`), so that a bridge that comes later can go on from there. */
export interface Mark {
  /** The last entry of the stream that the log contains, as an event or as part of a job's state. */
  entry: string
  /** How many log rows of the job are logged. */
  rows: number
  attempt: number
  /** How many attempts have failed. A job that goes back to waiting without another failure was delayed by its worker, or by a rate limit. */
  failures: number
}

/** An event to append, with its mark. */
export interface PlannedEvent {
  type: string
  data: unknown
  mark: Mark
}

/** The state that a job's log says so far. */
export interface LoggedState {
  mark: Mark
  status: JobStatus
  progress: unknown
}

/** Compares ids of a Redis stream, `{ms}-{number}`: by value, since 9-0 comes before 10-0. */
export function compareIds(a: string, b: string): number {
  const [aMs = 0, aSeq = 0] = a.split('-').map(Number)
  const [bMs = 0, bSeq = 0] = b.split('-').map(Number)
  return aMs - bMs || aSeq - bSeq
}

/** The greatest id of a Redis stream before this one. */
export function beforeId(id: string): string {
  const [ms = 0, seq = 0] = id.split('-').map(Number)
  return seq > 0 ? `${ms}-${seq - 1}` : `${ms - 1}-18446744073709551615`
}

/** The time in an entry's id, in ms since 1970. */
export const timeOf = (entry: string): number => Number.parseInt(entry, 10)

/** The event to log for an entry; `undefined` for entries that no reader needs. */
export function eventOf({ id, event, fields }: QueueEntry, { mark: before, status }: LoggedState, job: QueuedJob | undefined): PlannedEvent | undefined {
  const mark = { ...before, entry: id }
  const planned = (type: string, data: unknown): PlannedEvent => ({ type, data, mark })
  const backToWaiting = (state: string, more: object): PlannedEvent =>
    job && job.failures <= before.failures
      ? planned('queued', { state, ...more })
      : { ...planned('retrying', { attempt: before.attempt + 1, message: job?.failedReason, ...more }), mark: { ...mark, failures: before.failures + 1 } }
  switch (event) {
    case 'added':
      return planned('queued', { name: fields.name })
    case 'waiting':
      return fields.prev === 'active' ? backToWaiting('waiting', {}) : planned('queued', { state: 'waiting' })
    case 'delayed': {
      const until = new Date(Number(fields.delay)).toISOString()
      return status === 'running' ? backToWaiting('delayed', { until }) : planned('queued', { state: 'delayed', until })
    }
    case 'waiting-children':
      return planned('queued', { state: 'waiting-children' })
    case 'active': {
      const attempt = before.attempt + 1
      return { ...planned('started', { attempt }), mark: { ...mark, attempt } }
    }
    case 'stalled':
      return planned('log', { level: 'warn', message: 'stalled' })
    case 'progress':
      return planned('progress', progressOf(progressIn(fields)))
    case 'completed':
      return planned('succeeded', parse(fields.returnvalue))
    case 'failed':
      return planned('failed', failure(fields.failedReason, before.attempt))
    case 'removed':
      return planned('cancelled', { reason: 'removed' })
    default:
      return undefined
  }
}

/** The next event that brings a log towards the job's state at the entry `at`; `undefined` where the log is there. */
export function nextTowards(job: QueuedJob, at: string, isNew: boolean, { mark: before, progress: logged }: LoggedState): PlannedEvent | undefined {
  const mark = { ...before, entry: at }
  if (isNew) return { type: 'queued', data: { name: job.name }, mark }
  // The log is further than this state: another bridge has logged later entries.
  if (compareIds(before.entry, at) > 0) return undefined
  if (job.attempts > before.attempt)
    return { type: 'started', data: { attempt: job.attempts }, mark: { ...mark, attempt: job.attempts, failures: job.failures } }
  const progress = progressOf(job.progress)
  // Compared deeply, since a log may keep an object's members in another order.
  if (!isInitialProgress(job.progress) && !isDeepStrictEqual(progress, logged)) return { type: 'progress', data: progress, mark }
  if (job.state === 'completed') return { type: 'succeeded', data: job.result, mark }
  if (job.state === 'failed') return { type: 'failed', data: failure(job.failedReason, before.attempt), mark }
  return undefined
}

/**
 * The terminal event of a job that is no longer in its queue, and whose entries don't say why: `cancelled` for a job that waited, `failed` with the code `lost`
 * for one that ran, since it may have ended in any way.
 */
export function goneEvent(at: string, { mark, status }: LoggedState): PlannedEvent {
  const message = 'the job is no longer in its queue, and how it ended is not known'
  const end = status === 'running' ? { type: 'failed', data: { code: 'lost', message, retryable: false } } : { type: 'cancelled', data: { reason: 'gone' } }
  return { ...end, mark: { ...mark, entry: at } }
}

/** Whether an entry begins a new run of an ended job: its id was added again, or it was retried by hand. */
export const isNewRun = ({ event, fields }: QueueEntry): boolean =>
  event === 'added' || (event === 'waiting' && (fields.prev === 'failed' || fields.prev === 'completed'))

export const rowEvent = (message: string, { mark }: LoggedState): PlannedEvent => ({
  type: 'log',
  data: { level: 'info', message },
  mark: { ...mark, rows: mark.rows + 1 }
})

/** BullMQ's progress as data of `progress`. A number is a percentage, by BullMQ's convention. */
export function progressOf(progress: unknown): ProgressData & Record<string, unknown> {
  if (typeof progress === 'number') return { ratio: Math.min(1, Math.max(0, progress / 100)) }
  if (typeof progress === 'string') return { message: progress }
  if (typeof progress !== 'object' || progress === null || Array.isArray(progress)) return { value: progress }
  return { ...progress }
}

/** The progress in an entry's fields. */
export const progressIn = (fields: QueueEntry['fields']): unknown => parse(fields.data)

/** Whether a job has reported no progress yet: BullMQ's initial value is 0, or `{}`. */
const isInitialProgress = (progress: unknown): boolean => progress === 0 || progress === undefined || JSON.stringify(progress) === '{}'

const failure = (message = 'failed', attempts: number) => ({ code: 'failed', message, details: { attempts } })

function parse(text: string | undefined): unknown {
  if (text === undefined) return null
  try {
    return JSON.parse(text)
  } catch {
    return text
  }
}
