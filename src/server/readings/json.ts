import type { Frame, Problem, Reading, ReadingJob, WireEvent } from '../../protocol/frames.ts'
import { isControl } from '../../protocol/frames.ts'
import { PROTOCOL } from '../../protocol/rules.ts'
import { encodeEvent } from '../encode.ts'
import { HttpError } from '../http-error.ts'
import type { Budget } from '../job-cursor.ts'
import { longTimeout } from '../long-timeout.ts'
import { bytesOfText, digestOf } from '../platform.ts'
import type { Reply } from '../request-context.ts'
import type { Subscriber } from '../subscriber.ts'
import type { Settings } from '../types.ts'

/** An answer is put together as a whole: whatever window is asked for, it has no more. */
const MAX_BYTES = 2 ** 24
/** What an answer has where no window is asked for. */
const DEFAULT: Budget = { events: 1000, bytes: 2 ** 20 }

/** How much one answer has (PROTOCOL.md §3). */
export const answerBudget = (windowBytes: number): Budget =>
  windowBytes === Number.POSITIVE_INFINITY ? DEFAULT : { events: Number.POSITIVE_INFINITY, bytes: Math.min(windowBytes, MAX_BYTES) }

interface JsonReading {
  subscriber: Subscriber
  budget: Budget
  /** It asks for one job: what is wrong with that one is the answer's status. */
  single: boolean
  /** 0: answers at once. */
  waitMs: number
  /** Aborted: answers with what there is. */
  answerNow: AbortSignal
  ifNoneMatch: string | null
}

interface Collected {
  jobs: Map<string, ReadingJob>
  events: WireEvent[]
}

/** One answer of PROTOCOL.md §3, held for up to `waitMs` until there is something to say. */
export async function readJson({ subscriber, budget, single, waitMs, answerNow, ifNoneMatch }: JsonReading, settings: Settings): Promise<Reply> {
  const found: Collected = { jobs: new Map(), events: [] }
  await collect(subscriber, budget, found)
  if (waitMs > 0 && !isNews(found) && (await waitForNews(subscriber, budget, found, waitMs, answerNow))) await refreshStatus(found, settings)
  checkErrors(
    [...found.jobs.values()].flatMap((member) => ('error' in member ? member.error : [])),
    single
  )
  return toAnswer(found, subscriber.behind(), ifNoneMatch, settings)
}

/** Resolves with true where something has come. */
async function waitForNews(subscriber: Subscriber, budget: Budget, found: Collected, waitMs: number, answerNow: AbortSignal): Promise<boolean> {
  let over = answerNow.aborted
  const stop = () => {
    over = true
    subscriber.wake()
  }
  const cancel = longTimeout(waitMs, stop)
  answerNow.addEventListener('abort', stop)
  try {
    while (!over && !isNews(found) && !subscriber.isOver(true)) {
      await new Promise<void>((resolve) => subscriber.onNews(resolve))
      await collect(subscriber, budget, found)
    }
  } finally {
    cancel()
    answerNow.removeEventListener('abort', stop)
  }
  return isNews(found)
}

async function collect(subscriber: Subscriber, budget: Budget, found: Collected): Promise<void> {
  for (const frame of await subscriber.ready(budget)) add(frame, found)
}

function add(frame: Frame, { jobs, events }: Collected): void {
  if (!isControl(frame)) {
    events.push(frame)
    move(jobs.get(frame.job), frame.id, false)
    return
  }
  if (frame.control === 'subscribed') {
    const { job, epoch, seq, cursor, status } = frame
    // Trimmed or replaced while being read: what was collected of it would stand before a hole, with one position for both.
    if (jobs.has(job)) events.splice(0, events.length, ...events.filter((event) => event.job !== job))
    jobs.set(job, { job, epoch, seq, from: cursor, cursor, status, done: false })
  } else if (frame.control === 'done') move(jobs.get(frame.job), frame.cursor, true)
  else if (frame.control === 'error' && frame.job !== undefined) {
    const { control: _, job, ...error } = frame
    jobs.set(job, { job, error })
  }
}

function move(member: ReadingJob | undefined, cursor: string, done: boolean): void {
  if (!member || 'error' in member) return
  member.cursor = cursor
  member.done = done
}

const isNews = ({ jobs, events }: Collected): boolean => events.length > 0 || [...jobs.values()].some((member) => 'error' in member || member.done)

/** What was true when the wait began may not be any more. */
async function refreshStatus({ jobs }: Collected, { log }: Settings): Promise<void> {
  for (const member of jobs.values()) {
    if ('error' in member) continue
    const snapshot = await log.snapshot(member.job)
    if (snapshot) member.status = snapshot.status
  }
}

/** Throws what is to be the whole answer's status (PROTOCOL.md §7). */
export function checkErrors(errors: readonly Problem[], single: boolean): void {
  const whole = errors.find(({ status }) => single || status === 503)
  if (whole) throw refusalFrom(whole)
}

export const refusalFrom = ({ status, code, message, retryAfterMs }: Problem): HttpError =>
  new HttpError(status, code, message, retryAfterMs === undefined ? {} : { retryAfterMs })

async function toAnswer(
  { jobs, events }: Collected,
  more: boolean,
  ifNoneMatch: string | null,
  { heartbeatMs, maxJobsPerConnection, shortPollPauseMs }: Settings
): Promise<Reply> {
  const head: Omit<Reading, 'events'> = { protocol: PROTOCOL, heartbeatMs, mux: maxJobsPerConnection, pollMs: shortPollPauseMs, more, jobs: [...jobs.values()] }
  const text = JSON.stringify(head)
  // Of the events too: they are those from `from` to `cursor` of an epoch, and never change.
  const etag = `"${await digestOf(text)}"`
  if (events.length === 0 && matches(ifNoneMatch, etag)) return { status: 304, headers: { ETag: etag } }
  const body = bytesOfText(`${text.slice(0, -1)},"events":[${events.map(encodeEvent).join(',')}]}`)
  return { status: 200, headers: { 'Content-Type': 'application/json', ETag: etag }, body }
}

/** The weak comparison of RFC 9110 §13.1.2. */
const matches = (ifNoneMatch: string | null, etag: string): boolean =>
  (ifNoneMatch ?? '').split(',').some((each) => each.trim() === '*' || each.trim().replace(/^W\//, '') === etag)
