import type { ByeReason, Control, Frame } from '../protocol/frames.ts'
import { type Advance, type Ask, type Budget, createJobReader, type JobReader } from './job-reader.ts'
import type { SharedLog } from './log/shared.ts'
import { isLogError } from './log/types.ts'
import type { Meter } from './metrics.ts'
import { asControl, Refusal, refusalOfLog } from './problem.ts'

export interface FollowOptions {
  log: SharedLog
  heartbeatMs: number
  /** False for a reading that never waits: then wake-ups are not listened to. */
  listen: boolean
  /** It can be told that there is `more`. */
  saysMore?: boolean
  /** Ends it. */
  signal: AbortSignal
  onError: (error: unknown) => void
  /** Told what is handed out. */
  meter?: Meter
}

/** One object for all, so that it is encoded once. */
const HEARTBEAT: Control = { control: 'heartbeat' }

/** Jobs read from the log as frames, at the pace of whoever pulls. No getters: V8 makes a dictionary of an object literal that has one, 500 bytes for each follower. */
export interface Follow {
  /** How many jobs are being read. */
  size(): number
  /** Controls said and not pulled yet. */
  backlog(): number
  /** There is more to read at once. */
  behind(): boolean
  has(job: string): boolean
  /** Reads a job; in place of an earlier reading of it. */
  subscribe(ask: Ask): void
  unsubscribe(job: string): void
  /** Ends one job's reading, or all, with an `error`. */
  fail(refusal: Refusal, job?: string): void
  say(control: Control): void
  /** Ends everything with a `bye`. */
  bye(reason: ByeReason, retryMs: number): void
  /** What there is now, without waiting for events; empty where there is nothing new. */
  ready(budget: Budget): Frame[] | Promise<Frame[]>
  /** `ready` may have something. */
  hasNews(): boolean
  /** Calls once: when `ready` may have something, at the end, or at `wake`. */
  onNews(call: () => void): void
  wake(): void
  /** Nothing will come any more: after a `bye`, after the last job unless told to stay, after the signal. */
  isOver(stay: boolean): boolean
}

/**
 * A wake-up, carrying no data, only makes a job due; what there is comes from the log, and is read again at each heartbeat
 * in case a wake-up was lost (PROTOCOL.md §8.2).
 */
export function createFollow({ log, heartbeatMs, listen, saysMore, signal, onError, meter }: FollowOptions): Follow {
  const readers = new Map<string, JobReader>()
  /** Jobs that may have news, longest waiting first. */
  const due = new Set<JobReader>()
  /** Heartbeats and pongs, which a slow reader must not pile up. */
  const beats: Control[] = []
  let controls: Control[] = []
  let ended = false
  let waiting: (() => void) | undefined

  const heartbeat = setInterval(() => {
    for (const reader of readers.values()) due.add(reader)
    say(HEARTBEAT)
  }, heartbeatMs)
  signal.addEventListener('abort', end)
  if (signal.aborted) end()

  function end(): void {
    ended = true
    clearInterval(heartbeat)
    signal.removeEventListener('abort', end)
    for (const job of [...readers.keys()]) unsubscribe(job)
    wake()
  }

  /** Not in this very call, so that what is said or subscribed together is one batch. */
  function wake(): void {
    const call = takeWaiting()
    if (call) queueMicrotask(call)
  }

  function takeWaiting(): (() => void) | undefined {
    const call = waiting
    waiting = undefined
    return call
  }

  function subscribe(ask: Ask): void {
    if (ended) return
    unsubscribe(ask.job)
    const onAppended = () => {
      due.add(reader)
      takeWaiting()?.()
    }
    const reader = createJobReader(ask, log, listen ? onAppended : undefined, saysMore)
    readers.set(ask.job, reader)
    due.add(reader)
    wake()
  }

  function unsubscribe(job: string): void {
    const reader = readers.get(job)
    if (!reader) return
    readers.delete(job)
    due.delete(reader)
    reader.close()
  }

  function say(control: Control): void {
    if (ended) return
    if (control.control !== 'heartbeat' && control.control !== 'pong') controls.push(control)
    else if (beats.every((said) => said.control !== control.control)) beats.push(control)
    wake()
  }

  function fail(refusal: Refusal, job?: string): void {
    for (const each of job === undefined ? [...readers.keys()] : [job]) unsubscribe(each)
    say(asControl(refusal, job))
  }

  /** Reads a page of one job. */
  function advance(reader: JobReader, batch: Frame[], left: Budget): Promise<void> | undefined {
    due.delete(reader)
    const found = reader.advance(batch, left)
    if (typeof found === 'string') settle(reader, found)
    else return found.then((later) => settle(reader, later)).catch((error) => lose(reader, error))
  }

  /** Replaced or gone meanwhile, it no longer speaks for the job. */
  function settle(reader: JobReader, found: Advance): void {
    if (readers.get(reader.job) !== reader) return
    if (found === 'behind') due.add(reader)
    if (found === 'over') unsubscribe(reader.job)
  }

  function lose(reader: JobReader, error: unknown): void {
    const { job } = reader
    // Whoever has been told where it stands keeps its connection, and is due again at the next wake-up or heartbeat.
    const isPassing = reader.announced() && isLogError(error, 'unavailable')
    if (readers.get(job) === reader && !isPassing) fail(refusalOf(error), job)
  }

  function refusalOf(error: unknown): Refusal {
    if (error instanceof Refusal) return error
    if (!isLogError(error, 'history-gone') && !isLogError(error, 'closed')) onError(error)
    return refusalOfLog(error)
  }

  /** At once, where nothing has to be read: a promise for each event and follower is most of what it would cost. */
  function ready(budget: Budget): Frame[] | Promise<Frame[]> {
    const left = { ...budget }
    const batch: Frame[] = takeControls()
    if (beats.length > 0) batch.push(...beats.splice(0))
    const jobs = due.values()
    for (const reader of jobs) {
      const reading = isWanted(reader, left) && advance(reader, batch, left)
      if (reading) return reading.then(() => readRest(jobs, batch, left))
    }
    return handOut(batch)
  }

  async function readRest(jobs: Iterable<JobReader>, batch: Frame[], left: Budget): Promise<Frame[]> {
    for (const reader of jobs) if (isWanted(reader, left)) await advance(reader, batch, left)
    return handOut(batch)
  }

  /** A job's position is told even where the budget is used up: an answer has a member for every job. */
  const isWanted = (reader: JobReader, left: Budget) => !reader.announced() || (left.events > 0 && left.bytes > 0)

  function handOut(batch: Frame[]): Frame[] {
    if (controls.length > 0) batch.push(...takeControls())
    meter?.frames(batch)
    return batch
  }

  function takeControls(): Control[] {
    const taken = controls
    controls = []
    return taken
  }

  const hasNews = () => !signal.aborted && (due.size > 0 || controls.length > 0 || beats.length > 0)

  return {
    size: () => readers.size,
    backlog: () => controls.length,
    behind: () => due.size > 0,
    has: (job) => readers.has(job),
    subscribe,
    unsubscribe,
    fail,
    say,
    bye(reason, retryMs) {
      if (!ended) meter?.bye(reason)
      say({ control: 'bye', reason, retryMs })
      end()
    },
    ready,
    hasNews,
    onNews(call) {
      if (ended || hasNews()) call()
      else waiting = call
    },
    wake,
    isOver: (stay) => ended || (readers.size === 0 && !stay)
  }
}
