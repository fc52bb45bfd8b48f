import type { Frame, Problem, Reading, ReadingJob, WireEvent } from '../../protocol/frames.ts'
import { isControl } from '../../protocol/frames.ts'
import { PROTOCOL } from '../../protocol/rules.ts'
import { encodeEvent } from '../encode.ts'
import { HttpError } from '../http-error.ts'
import type { Budget } from '../job-cursor.ts'
import { longTimeout } from '../long-timeout.ts'
import { bytesOfText, digestOf } from '../platform.ts'
import type { Reply } from '../request-context.ts'
import type { Settings } from '../server-options.ts'
import type { Subscriber } from '../subscriber.ts'

/** The largest answer, whatever window was asked for: an answer is built in memory as a whole. */
const MAX_BYTES = 2 ** 24
/** The largest answer to a request without a window. */
const DEFAULT: Budget = { events: 1000, bytes: 2 ** 20 }

/** How many events one answer may carry (PROTOCOL.md §3). */
export const answerBudget = (windowBytes: number): Budget =>
  windowBytes === Number.POSITIVE_INFINITY ? DEFAULT : { events: Number.POSITIVE_INFINITY, bytes: Math.min(windowBytes, MAX_BYTES) }

interface JsonReading {
  subscriber: Subscriber
  budget: Budget
  /** The request names one job: its error becomes the status of the whole answer. */
  single: boolean
  /** How long the answer may be held. 0: not at all. */
  waitMs: number
  /** Aborting it ends the wait: the answer goes out with what there is. */
  answerNow: AbortSignal
  ifNoneMatch: string | null
}

interface Collected {
  jobs: Map<string, ReadingJob>
  events: WireEvent[]
}

/** Builds one JSON answer (PROTOCOL.md §3). Waits up to `waitMs` for the first event, error or end. Throws an `HttpError`. */
export async function readJson({ subscriber, budget, single, waitMs, answerNow, ifNoneMatch }: JsonReading, settings: Settings): Promise<Reply> {
  const found: Collected = { jobs: new Map(), events: [] }
  await collect(subscriber, budget, found)
  if (waitMs > 0 && !isNews(found) && (await waitForNews(subscriber, budget, found, waitMs, answerNow))) await refreshStatus(found, settings)
  checkErrors(
    [...found.jobs.values()].flatMap((member) => ('error' in member ? member.error : [])),
    single
  )
  return toReply(found, subscriber.hasMore(), ifNoneMatch, settings)
}

/** Waits until there is an event, an error or an end. Resolves with `false` where there was none in time. */
async function waitForNews(subscriber: Subscriber, budget: Budget, found: Collected, waitMs: number, answerNow: AbortSignal): Promise<boolean> {
  let over = answerNow.aborted
  const stop = () => {
    over = true
    subscriber.wake()
  }
  const cancel = longTimeout(waitMs, stop)
  answerNow.addEventListener('abort', stop)
  try {
    while (!over && !isNews(found) && !subscriber.isDone(true)) {
      await new Promise<void>((resolve) => subscriber.whenPending(resolve))
      await collect(subscriber, budget, found)
    }
  } finally {
    cancel()
    answerNow.removeEventListener('abort', stop)
  }
  return isNews(found)
}

async function collect(subscriber: Subscriber, budget: Budget, found: Collected): Promise<void> {
  for (const frame of await subscriber.readAvailable(budget)) addFrame(frame, found)
}

function addFrame(frame: Frame, { jobs, events }: Collected): void {
  if (!isControl(frame)) {
    events.push(frame)
    moveTo(jobs.get(frame.job), frame.id, false)
    return
  }
  if (frame.control === 'subscribed') {
    const { job, epoch, seq, cursor, status } = frame
    // The log was trimmed or replaced while it was read. The events collected before would be followed by a hole, and the answer has only one position for
    // both.
    if (jobs.has(job)) events.splice(0, events.length, ...events.filter((event) => event.job !== job))
    jobs.set(job, { job, epoch, seq, from: cursor, cursor, status, done: false })
  } else if (frame.control === 'done') moveTo(jobs.get(frame.job), frame.cursor, true)
  else if (frame.control === 'error' && frame.job !== undefined) {
    const { control: _, job, ...error } = frame
    jobs.set(job, { job, error })
  }
}

function moveTo(member: ReadingJob | undefined, cursor: string, done: boolean): void {
  if (!member || 'error' in member) return
  member.cursor = cursor
  member.done = done
}

const isNews = ({ jobs, events }: Collected): boolean => events.length > 0 || [...jobs.values()].some((member) => 'error' in member || member.done)

/** Reads the statuses again after a wait, since they were read before it. */
async function refreshStatus({ jobs }: Collected, { log }: Settings): Promise<void> {
  for (const member of jobs.values()) {
    if ('error' in member) continue
    const snapshot = await log.snapshot(member.job)
    if (snapshot) member.status = snapshot.status
  }
}

/** Throws the error that becomes the status of the whole answer: that of a single job, or a 503 of any job (PROTOCOL.md §7). */
export function checkErrors(errors: readonly Problem[], single: boolean): void {
  const decisive = errors.find(({ status }) => single || status === 503)
  if (decisive) throw fromProblem(decisive)
}

export const fromProblem = ({ status, code, message, retryAfterMs }: Problem): HttpError =>
  new HttpError(status, code, message, retryAfterMs === undefined ? {} : { retryAfterMs })

async function toReply(
  { jobs, events }: Collected,
  more: boolean,
  ifNoneMatch: string | null,
  { heartbeatMs, maxJobsPerConnection, shortPollPauseMs }: Settings
): Promise<Reply> {
  const head: Omit<Reading, 'events'> = { protocol: PROTOCOL, heartbeatMs, mux: maxJobsPerConnection, pollMs: shortPollPauseMs, more, jobs: [...jobs.values()] }
  const text = JSON.stringify(head)
  // The head determines the events: those from `from` to `cursor` of an epoch, which never change. So the ETag covers them as well.
  const etag = `"${await digestOf(text)}"`
  if (events.length === 0 && matches(ifNoneMatch, etag)) return { status: 304, headers: { ETag: etag } }
  const body = bytesOfText(`${text.slice(0, -1)},"events":[${events.map(encodeEvent).join(',')}]}`)
  return { status: 200, headers: { 'Content-Type': 'application/json', ETag: etag }, body }
}

/** Compares `If-None-Match` by the weak comparison (RFC 9110 §13.1.2). */
const matches = (ifNoneMatch: string | null, etag: string): boolean =>
  (ifNoneMatch ?? '').split(',').some((each) => each.trim() === '*' || each.trim().replace(/^W\//, '') === etag)
