import type { ByeReason, Control, Frame } from '../protocol/frames.ts'
import { asControl, HttpError, refusalOfLog } from './http-error.ts'
import { type Advance, type Budget, JobCursor, type JobCursorOptions, type SubscribeRequest } from './job-cursor.ts'
import type { SharedLog } from './log/shared.ts'
import { isLogError } from './log/types.ts'
import type { Meter } from './metrics.ts'

export interface SubscriberOptions {
  log: SharedLog
  heartbeatMs: number
  /** False for a reading that never waits: then wake-ups are not listened to. */
  listen: boolean
  /** How many bytes of events may be read, until `grant`. Default: as many as there are. */
  windowBytes?: number | undefined
  onError: (error: unknown) => void
  /** Told what is handed out. */
  meter?: Meter
}

/** One object for all, so that it is encoded once. */
const HEARTBEAT: Control = { control: 'heartbeat' }

/**
 * Jobs read from the log as frames, at the pace of whoever pulls, until its `end`. A wake-up, carrying no data, only makes a job due; what there is
 * comes from the log.
 */
export class Subscriber {
  private readonly onError: (error: unknown) => void
  private readonly meter: Meter | undefined
  private readonly ofReaders: JobCursorOptions
  private readonly heartbeat: NodeJS.Timeout
  private readonly readers = new Map<string, JobCursor>()
  /** Jobs that may have news, longest waiting first. */
  private readonly due: JobCursor[] = []
  private controls: Control[] = []
  /** Heartbeats and pongs, which a slow reader must not pile up. */
  private heartbeats: Control[] = []
  private ended = false
  /** What is left of the window. */
  private windowBytes: number
  private waiting: (() => void) | undefined

  constructor({ log, heartbeatMs, listen, windowBytes = Number.POSITIVE_INFINITY, onError, meter }: SubscriberOptions) {
    this.onError = onError
    this.meter = meter
    this.windowBytes = windowBytes
    this.ofReaders = { log, onNews: listen ? (reader) => this.hear(reader) : undefined }
    this.heartbeat = setInterval(() => this.beat(), heartbeatMs)
  }

  /** How many jobs are being read. */
  size(): number {
    return this.readers.size
  }

  /** Controls said and not pulled yet. */
  backlog(): number {
    return this.controls.length
  }

  /** There is more than was handed out, or may be: the end came first, or the log was out of reach. */
  behind(): boolean {
    return this.ended || this.due.length > 0 || [...this.readers.values()].some(({ isLate }) => isLate)
  }

  /** From now on so many bytes of events may be read. */
  grant(windowBytes: number): void {
    this.windowBytes = windowBytes
    this.wake()
  }

  /** The window is used up: events are read no further, while controls, heartbeats and where a job stands are still handed out. */
  isSpent(): boolean {
    return this.windowBytes <= 0
  }

  has(job: string): boolean {
    return this.readers.has(job)
  }

  /** Reads a job; in place of an earlier reading of it. */
  subscribe(ask: SubscribeRequest): void {
    if (this.ended) return
    this.unsubscribe(ask.job)
    const reader = new JobCursor(ask, this.ofReaders)
    this.readers.set(ask.job, reader)
    this.makeDue(reader)
    this.wake()
  }

  unsubscribe(job: string): void {
    const reader = this.readers.get(job)
    if (!reader) return
    this.readers.delete(job)
    if (reader.isDue) this.due.splice(this.due.indexOf(reader), 1)
    reader.close()
  }

  /** Ends one job's reading, or all, with an `error`. */
  fail(refusal: HttpError, job?: string): void {
    for (const each of job === undefined ? [...this.readers.keys()] : [job]) this.unsubscribe(each)
    this.say(asControl(refusal, job))
  }

  say(control: Control): void {
    if (this.ended) return
    if (control.control !== 'heartbeat' && control.control !== 'pong') this.controls.push(control)
    else if (this.heartbeats.every((said) => said.control !== control.control)) this.heartbeats.push(control)
    this.wake()
  }

  /** Ends everything with a `bye`, which is still handed out. */
  bye(reason: ByeReason, retryMs: number): void {
    if (this.ended) return
    this.meter?.bye(reason)
    this.say({ control: 'bye', reason, retryMs })
    this.close()
  }

  /** Ends everything: nothing is handed out any more. */
  end(): void {
    this.controls = []
    this.heartbeats = []
    this.close()
  }

  /** `ready` may have something. */
  hasNews(): boolean {
    return this.controls.length > 0 || this.heartbeats.length > 0 || (this.isSpent() ? this.due.some(isNew) : this.due.length > 0)
  }

  /** Calls once: when `ready` may have something, at the end, or at `wake`. */
  onNews(call: () => void): void {
    if (this.ended || this.hasNews()) call()
    else this.waiting = call
  }

  /** Not in this very call, so that what is said or subscribed together is one batch. */
  wake(): void {
    const call = this.takeWaiting()
    if (call) queueMicrotask(call)
  }

  /** Nothing will come any more: after a `bye`, after the last job unless told to stay, after the end. */
  isOver(stay: boolean): boolean {
    return this.ended || (this.readers.size === 0 && !stay)
  }

  /**
   * What there is now, without waiting for events; empty where there is nothing new. At once, where nothing has to be read: a promise for each event and
   * follower is most of what it would cost.
   */
  ready(budget: Budget): Frame[] | Promise<Frame[]> {
    const left = { events: budget.events, bytes: Math.min(budget.bytes, this.windowBytes) }
    const batch = this.takeControls()
    if (this.heartbeats.length > 0) batch.push(...this.heartbeats.splice(0))
    return this.readOn(batch, left, left.bytes)
  }

  /** Who is not wanted now stays in `due`. */
  private readOn(batch: Frame[], left: Budget, bytes: number): Frame[] | Promise<Frame[]> {
    // What was said while a job was read is said before the next one is: a refusal of that one's reading before this.
    if (this.controls.length > 0) batch.push(...this.takeControls())
    let place = 0
    while (place < this.due.length) {
      const reader = this.due[place] as JobCursor // as: the place is in it
      if (!isWanted(reader, left)) {
        place += 1
        continue
      }
      this.due.splice(place, 1)
      reader.isDue = reader.isLate = false
      const found = reader.advance(batch, left)
      if (typeof found === 'string') this.settle(reader, found)
      else return this.awaitRead(reader, found).then(() => this.readOn(batch, left, bytes))
    }
    this.windowBytes -= bytes - left.bytes
    this.meter?.frames(batch)
    return batch
  }

  private async awaitRead(reader: JobCursor, found: Promise<Advance>): Promise<void> {
    try {
      this.settle(reader, await found)
    } catch (error) {
      this.lose(reader, error)
    }
  }

  /** Replaced or gone meanwhile, it no longer speaks for the job. */
  private settle(reader: JobCursor, found: Advance): void {
    if (found === 'waiting' || this.readers.get(reader.job) !== reader) return
    if (found === 'behind') this.makeDue(reader)
    else this.unsubscribe(reader.job)
  }

  private lose(reader: JobCursor, error: unknown): void {
    const { job } = reader
    // Whoever has been told where it stands keeps its connection, and is due again at the next wake-up or heartbeat.
    reader.isLate = reader.announced() && isLogError(error, 'unavailable')
    if (this.readers.get(job) === reader && !reader.isLate) this.fail(this.refusalOf(error), job)
  }

  private refusalOf(error: unknown): HttpError {
    if (error instanceof HttpError) return error
    if (!isLogError(error, 'history-gone') && !isLogError(error, 'closed')) this.onError(error)
    return refusalOfLog(error)
  }

  private makeDue(reader: JobCursor): void {
    if (reader.isDue) return
    reader.isDue = true
    this.due.push(reader)
  }

  private hear(reader: JobCursor): void {
    this.makeDue(reader)
    this.takeWaiting()?.()
  }

  private beat(): void {
    for (const reader of this.readers.values()) if (reader.isLate) this.makeDue(reader)
    this.say(HEARTBEAT)
  }

  private close(): void {
    this.ended = true
    clearInterval(this.heartbeat)
    for (const job of [...this.readers.keys()]) this.unsubscribe(job)
    this.wake()
  }

  private takeWaiting(): (() => void) | undefined {
    const call = this.waiting
    this.waiting = undefined
    return call
  }

  private takeControls(): Frame[] {
    const taken = this.controls
    this.controls = []
    return taken
  }
}

/** A job's position is told even where the budget is used up: an answer has a member for every job. */
const isWanted = (reader: JobCursor, left: Budget) => isNew(reader) || (left.events > 0 && left.bytes > 0)
const isNew = (reader: JobCursor) => !reader.announced()
