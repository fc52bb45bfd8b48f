import type { ByeReason, Control, Frame } from '../protocol/frames.ts'
import { type HttpError, toErrorControl, toHttpError } from './http-error.ts'
import { type Advance, type Budget, JobCursor, type JobCursorOptions, type SubscribeRequest } from './job-cursor.ts'
import type { SharedLog } from './log/shared.ts'
import { isLogError } from './log/types.ts'
import type { Meter } from './metrics.ts'
import { ControlQueue, HEARTBEAT, ReadQueue, Waiter } from './subscriber-queues.ts'

export interface SubscriberOptions {
  log: SharedLog
  heartbeatMs: number
  /** False for a reading that answers at once: it needs no wake-ups. */
  isWatching: boolean
  /** How many bytes of events may be read until `setWindow` (PROTOCOL.md §2). Default: `Infinity`. */
  windowBytes?: number | undefined
  onError: (error: unknown) => void
  /** Counts the frames that are handed out. */
  meter?: Meter
}

/**
 * Reads one reader's jobs from the log and turns them into frames, at the pace of whoever pulls them with `readAvailable`. A wake-up carries no data: it only
 * puts the job into the read queue. Each job goes through these states:
 *
 *     subscribe ──► queued ──► reading ──┬─► idle ── wake-up ─────────► queued
 *                     ▲                  ├─► needs a retry ── heartbeat ► queued   (the log can't be reached)
 *                     └── more to read ──┤
 *                                        └─► closed   (`done`, or an `error`)
 */
export class Subscriber {
  private readonly onError: (error: unknown) => void
  private readonly meter: Meter | undefined
  private readonly cursorOptions: JobCursorOptions
  private readonly heartbeat: NodeJS.Timeout
  private readonly cursors = new Map<string, JobCursor>()
  private readonly readQueue = new ReadQueue()
  /** What waits to be pulled beside events. */
  readonly controls: ControlQueue = new ControlQueue()
  private ended = false
  /** How many bytes of the window are left. */
  private windowBytes: number
  private readonly waiter = new Waiter()

  constructor({ log, heartbeatMs, isWatching, windowBytes = Number.POSITIVE_INFINITY, onError, meter }: SubscriberOptions) {
    this.onError = onError
    this.meter = meter
    this.windowBytes = windowBytes
    const onWakeUp = (cursor: JobCursor) => {
      this.readQueue.add(cursor)
      this.waiter.wake()
    }
    this.cursorOptions = { log, onWakeUp: isWatching ? onWakeUp : undefined }
    this.heartbeat = setInterval(() => this.onHeartbeat(), heartbeatMs)
  }

  /** How many jobs are being read. */
  jobCount(): number {
    return this.cursors.size
  }

  /** Whether there is, or may be, more than was handed out. May be: the subscriber was ended early, or the log can't be reached. */
  hasMore(): boolean {
    return this.ended || !this.readQueue.isEmpty() || [...this.cursors.values()].some(({ needsRetry }) => needsRetry)
  }

  /** Replaces what is left of the window: from now on this many bytes of events may be read. */
  setWindow(windowBytes: number): void {
    this.windowBytes = windowBytes
    this.wake()
  }

  /** Whether the window is used up. Events are then not read; controls, heartbeats and `subscribed` still are handed out. */
  isWindowUsedUp(): boolean {
    return this.windowBytes <= 0
  }

  has(job: string): boolean {
    return this.cursors.has(job)
  }

  /** Begins to read a job, and replaces an earlier subscription to it. */
  subscribe(request: SubscribeRequest): void {
    if (this.ended) return
    this.unsubscribe(request.job)
    const cursor = new JobCursor(request, this.cursorOptions)
    this.cursors.set(request.job, cursor)
    this.readQueue.add(cursor)
    this.wake()
  }

  unsubscribe(job: string): void {
    const cursor = this.cursors.get(job)
    if (!cursor) return
    this.cursors.delete(job)
    this.readQueue.remove(cursor)
    cursor.close()
  }

  /** Ends the reading of one job, or of all jobs, with an `error` frame. */
  fail(error: HttpError, job?: string): void {
    for (const one of job === undefined ? [...this.cursors.keys()] : [job]) this.unsubscribe(one)
    this.send(toErrorControl(error, job))
  }

  send(control: Control): void {
    if (this.ended) return
    this.controls.add(control)
    this.wake()
  }

  /** Ends all readings with a `bye`. What is queued, and the `bye`, can still be pulled. */
  bye(reason: ByeReason, retryMs: number): void {
    if (this.ended) return
    this.meter?.bye(reason)
    this.send({ control: 'bye', reason, retryMs })
    this.close()
  }

  /** Ends all readings and drops what is queued. */
  end(): void {
    this.controls.clear()
    this.close()
  }

  /** Whether `readAvailable` may have something. */
  hasPending(): boolean {
    return !this.controls.isEmpty() || (this.isWindowUsedUp() ? this.readQueue.hasUnannounced() : !this.readQueue.isEmpty())
  }

  /** Calls `call` once: when `readAvailable` may have something, after the end, or at `wake`. At once where that is so already. */
  whenPending(call: () => void): void {
    if (this.ended || this.hasPending()) call()
    else this.waiter.wait(call)
  }

  /** Calls the waiting callback in a microtask, so that controls and subscriptions made in one go become one batch. */
  wake(): void {
    this.waiter.wakeSoon()
  }

  /** Whether nothing will come any more: after `bye` and `end`, and without `keepOpen` also after the last job. */
  isDone(keepOpen: boolean): boolean {
    return this.ended || (this.cursors.size === 0 && !keepOpen)
  }

  /**
   * Resolves with the frames that are available now; empty where there is nothing new. Never waits for events. Returns an array rather than a promise where
   * the log needn't be read: a promise for each event and reader would be most of the cost of a fan-out.
   */
  readAvailable(budget: Budget): Frame[] | Promise<Frame[]> {
    const remaining = { events: budget.events, bytes: Math.min(budget.bytes, this.windowBytes) }
    const batch: Frame[] = this.controls.takeAll()
    return this.drainReadQueue(batch, remaining, remaining.bytes)
  }

  /** Reads the queued jobs that the budget has room for. The others stay in the queue. */
  private drainReadQueue(batch: Frame[], budget: Budget, bytes: number): Frame[] | Promise<Frame[]> {
    // Controls that were queued while a job was read go out before the next job's frames: an `error` of an earlier reading of that job may be among them.
    if (this.controls.size > 0) batch.push(...this.controls.take())
    for (let cursor = this.readQueue.take(budget); cursor; cursor = this.readQueue.take(budget)) {
      cursor.needsRetry = false
      const found = cursor.advance(batch, budget)
      if (typeof found === 'string') this.afterRead(cursor, found)
      else return this.awaitRead(cursor, found).then(() => this.drainReadQueue(batch, budget, bytes))
    }
    this.windowBytes -= bytes - budget.bytes
    this.meter?.frames(batch)
    return batch
  }

  private async awaitRead(cursor: JobCursor, found: Promise<Advance>): Promise<void> {
    try {
      this.afterRead(cursor, await found)
    } catch (error) {
      // A reader that has had `subscribed` keeps its connection through an outage of the log. It is read again at the next wake-up or heartbeat.
      cursor.needsRetry = cursor.isAnnounced() && isLogError(error, 'unavailable')
      if (this.cursors.get(cursor.job) === cursor && !cursor.needsRetry) this.fail(toHttpError(error, this.onError), cursor.job)
    }
  }

  private afterRead(cursor: JobCursor, found: Advance): void {
    // A cursor that was replaced or unsubscribed meanwhile no longer decides anything for the job.
    if (found === 'waiting' || this.cursors.get(cursor.job) !== cursor) return
    if (found === 'behind') this.readQueue.add(cursor)
    else this.unsubscribe(cursor.job)
  }

  private onHeartbeat(): void {
    for (const cursor of this.cursors.values()) if (cursor.needsRetry) this.readQueue.add(cursor)
    this.send(HEARTBEAT)
  }

  private close(): void {
    this.ended = true
    clearInterval(this.heartbeat)
    for (const job of [...this.cursors.keys()]) this.unsubscribe(job)
    this.wake()
  }
}
