import { isDeepStrictEqual } from 'node:util'
import type { JobStatus, ProgressData } from '../../protocol/frames.ts'

/** One entry of a queue's stream of events. */
export interface Entry {
  id: string
  event: string
  jobId: string
  fields: Readonly<Record<string, string>>
}

/** A job as its queue knows it. */
export interface QueuedJob {
  name: string
  state: string
  /** Attempts that were begun, and those that have failed. */
  attempts: number
  failures: number
  progress: unknown
  result: unknown
  failedReason: string | undefined
  finishedOn: number | undefined
}

/** How far the queue has been logged. It stands in each event but the last, so that whoever reads the log knows what is in it. */
export interface Mark {
  /** The last entry of the stream that is in the log, by itself or as part of a job's state. */
  entry: string
  /** Log rows of the job. */
  rows: number
  attempt: number
  /** Attempts that have failed: what goes back to waiting without one was delayed by its worker, or by a rate limit. */
  failures: number
}

export interface Wanted {
  type: string
  data: unknown
  mark: Mark
}

/** What a job's log says so far. */
export interface Logged {
  mark: Mark
  status: JobStatus
  progress: unknown
}

/** Ids of a stream are milliseconds and a number: 9-0 comes before 10-0. */
export function compareIds(a: string, b: string): number {
  const [aMs = 0, aSeq = 0] = a.split('-').map(Number)
  const [bMs = 0, bSeq = 0] = b.split('-').map(Number)
  return aMs - bMs || aSeq - bSeq
}

/** The greatest id before it. */
export function beforeId(id: string): string {
  const [ms = 0, seq = 0] = id.split('-').map(Number)
  return seq > 0 ? `${ms}-${seq - 1}` : `${ms - 1}-18446744073709551615`
}

export const timeOf = (entry: string): number => Number.parseInt(entry, 10)

/** The event that an entry becomes; `undefined` for those that say nothing of a job's way. */
export function eventOf({ id, event, fields }: Entry, { mark: before, status }: Logged, job: QueuedJob | undefined): Wanted | undefined {
  const mark = { ...before, entry: id }
  const wanted = (type: string, data: unknown): Wanted => ({ type, data, mark })
  const back = (state: string, more: object): Wanted =>
    job && job.failures <= before.failures
      ? wanted('queued', { state, ...more })
      : { ...wanted('retrying', { attempt: before.attempt + 1, message: job?.failedReason, ...more }), mark: { ...mark, failures: before.failures + 1 } }
  switch (event) {
    case 'added':
      return wanted('queued', { name: fields.name })
    case 'waiting':
      return fields.prev === 'active' ? back('waiting', {}) : wanted('queued', { state: 'waiting' })
    case 'delayed': {
      const until = new Date(Number(fields.delay)).toISOString()
      return status === 'running' ? back('delayed', { until }) : wanted('queued', { state: 'delayed', until })
    }
    case 'waiting-children':
      return wanted('queued', { state: 'waiting-children' })
    case 'active': {
      const attempt = before.attempt + 1
      return { ...wanted('started', { attempt }), mark: { ...mark, attempt } }
    }
    case 'stalled':
      return wanted('log', { level: 'warn', message: 'stalled' })
    case 'progress':
      return wanted('progress', progressOf(progressIn(fields)))
    case 'completed':
      return wanted('succeeded', parse(fields.returnvalue))
    case 'failed':
      return wanted('failed', failure(fields.failedReason, before.attempt))
    case 'removed':
      return wanted('cancelled', { reason: 'removed' })
    default:
      return undefined
  }
}

/** The next of the events that lead from the log to where the job stands at the entry `at`. */
export function nextTowards(job: QueuedJob, at: string, isNew: boolean, { mark: before, progress: logged }: Logged): Wanted | undefined {
  const mark = { ...before, entry: at }
  if (isNew) return { type: 'queued', data: { name: job.name }, mark }
  // Others have gone on from where the job stood.
  if (compareIds(before.entry, at) > 0) return undefined
  if (job.attempts > before.attempt)
    return { type: 'started', data: { attempt: job.attempts }, mark: { ...mark, attempt: job.attempts, failures: job.failures } }
  const progress = progressOf(job.progress)
  // A log may keep members in another order.
  if (!isInitial(job.progress) && !isDeepStrictEqual(progress, logged)) return { type: 'progress', data: progress, mark }
  if (job.state === 'completed') return { type: 'succeeded', data: job.result, mark }
  if (job.state === 'failed') return { type: 'failed', data: failure(job.failedReason, before.attempt), mark }
  return undefined
}

/** The end of a job that is no longer in its queue, where no entry says how that came: one that ran may have ended in any way. */
export function goneEvent(at: string, { mark, status }: Logged): Wanted {
  const message = 'the job is no longer in its queue, and how it ended is not known'
  const end = status === 'running' ? { type: 'failed', data: { code: 'lost', message, retryable: false } } : { type: 'cancelled', data: { reason: 'gone' } }
  return { ...end, mark: { ...mark, entry: at } }
}

/** Whether an entry begins another run of a job whose log has ended: the id was added again, or the job was retried by hand. */
export const isNewRun = ({ event, fields }: Entry): boolean =>
  event === 'added' || (event === 'waiting' && (fields.prev === 'failed' || fields.prev === 'completed'))

export const rowEvent = (message: string, { mark }: Logged): Wanted => ({
  type: 'log',
  data: { level: 'info', message },
  mark: { ...mark, rows: mark.rows + 1 }
})

/** A number is a percentage, by BullMQ's convention. */
export function progressOf(progress: unknown): ProgressData & Record<string, unknown> {
  if (typeof progress === 'number') return { ratio: Math.min(1, Math.max(0, progress / 100)) }
  if (typeof progress === 'string') return { message: progress }
  if (typeof progress !== 'object' || progress === null || Array.isArray(progress)) return { value: progress }
  return { ...progress }
}

/** What an entry of progress says. */
export const progressIn = (fields: Entry['fields']): unknown => parse(fields.data)

/** A job's progress before it has any. */
const isInitial = (progress: unknown): boolean => progress === 0 || progress === undefined || JSON.stringify(progress) === '{}'

const failure = (message = 'failed', attempts: number) => ({ code: 'failed', message, details: { attempts } })

function parse(text: string | undefined): unknown {
  if (text === undefined) return null
  try {
    return JSON.parse(text)
  } catch {
    return text
  }
}
