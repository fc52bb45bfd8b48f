import type { Frame, JobStatus } from '../protocol/frames.ts'
import { TAIL } from '../protocol/rules.ts'
import { bytesOf } from './encode.ts'
import { unknownJob } from './http-error.ts'
import type { SharedLog, Watcher } from './log/shared.ts'
import type { LogPage } from './log/types.ts'

/** A reader's request for one job. */
export interface SubscribeRequest {
  job: string
  /** The cursor to read after, or `tail`. Default: from the oldest retained event. */
  after?: string | undefined
  /** Echoed in `subscribed` (PROTOCOL.md §5). */
  ref?: number | undefined
}

/** How much may be read at once: the bound of the memory that a reading needs. */
export interface Budget {
  events: number
  /** Bytes of the events' JSON in UTF-8. The last event may exceed it, since events are taken whole. Finite: the bytes read are computed from what is left. */
  bytes: number
}

/** What a read led to. `behind`: there is more to read. `waiting`: the reader has everything. `over`: the reader has everything, and the job has ended. */
export type Advance = 'behind' | 'waiting' | 'over'

export interface JobCursorOptions {
  log: SharedLog
  /**
   * Called where there may be something new. The job is watched before it is first read, so that an event appended in between is never missed
   * (PROTOCOL.md §8.2). Absent: the job isn't watched.
   */
  onWakeUp?: ((cursor: JobCursor) => void) | undefined
}

/** The size of the first page, in events, before it is known how large they are. */
const FIRST_PAGE = 100
/** The size of a page at most, in events: a bound of a reading's memory. */
const MAX_PAGE = 1000

/**
 * One reader's position in one job's log, and the position that the reader was told by `subscribed`. A class, as is everything that exists once for each of ten
 * thousand readers: closures would need 1 kB more, and would be cold in the cache when an event comes.
 */
export class JobCursor implements Watcher {
  readonly job: string
  /** In the subscriber's read queue. */
  isQueued = false
  /** The last read failed because the log can't be reached. */
  needsRetry = false
  private readonly ref: number | undefined
  private readonly options: JobCursorOptions
  private after: string | undefined
  /** The position that the reader was told last. `undefined`: none yet. */
  private epoch: string | undefined
  private seq = 0
  /** The average size of the last page's events; 0 before the first page. */
  private eventBytes = 0
  /** The latest page that was read for all watchers. It is used only where it follows this reader's position. */
  private sharedPage: LogPage | undefined
  private isWatching = false
  private closed = false

  constructor({ job, after, ref }: SubscribeRequest, options: JobCursorOptions) {
    this.job = job
    this.after = after
    this.ref = ref
    this.options = options
  }

  /** Whether the reader has had `subscribed`. */
  isAnnounced(): boolean {
    return this.epoch !== undefined
  }

  wake(page?: LogPage): void {
    this.sharedPage = page
    this.options.onWakeUp?.(this)
  }

  /**
   * Adds the next page's frames to the batch and subtracts them from the budget. Without a promise where the page was read for all watchers.
   * Throws an `HttpError`, or what the log throws.
   */
  advance(batch: Frame[], left: Budget): Advance | Promise<Advance> {
    const page = this.sharedPage
    this.sharedPage = undefined
    return page && !this.isElsewhere(page) ? this.addPage(page, batch, left) : this.read(batch, left)
  }

  close(): void {
    this.closed = true
    if (this.isWatching) this.options.log.removeWatcher(this.job, this)
  }

  private async read(batch: Frame[], left: Budget): Promise<Advance> {
    const { job, options } = this
    const { log, onWakeUp } = options
    if (onWakeUp && !this.isWatching) await this.watch()
    if (this.after === TAIL) this.after = (await log.snapshot(job))?.cursor
    const page = await log.read(job, this.after, this.pageLimit(left))
    const needsSubscribed = page && this.isElsewhere(page)
    const snapshot = needsSubscribed ? await log.snapshot(job) : undefined
    if (this.closed) return 'over'
    if (!page || (needsSubscribed && !snapshot)) throw unknownJob()
    if (snapshot) batch.push(this.subscribed(page, snapshot.status))
    return this.addPage(page, batch, left)
  }

  /** How many events to read: as many as the budget has room for, by the size of those before. Events read beyond the budget would be thrown away. */
  private pageLimit({ events, bytes }: Budget): number {
    const fitting = this.eventBytes === 0 ? FIRST_PAGE : Math.ceil(bytes / this.eventBytes)
    return Math.max(1, Math.min(fitting, events, MAX_PAGE))
  }

  private async watch(): Promise<void> {
    this.isWatching = true
    try {
      await this.options.log.addWatcher(this.job, this)
    } catch (error) {
      this.isWatching = false
      throw error
    }
  }

  private isElsewhere({ epoch, seq }: LogPage): boolean {
    return epoch !== this.epoch || seq !== this.seq
  }

  private subscribed({ epoch, seq, cursor }: LogPage, status: JobStatus): Frame {
    const { job, ref } = this
    // A second `subscribed`, where the log was trimmed or replaced, has no `ref` (PROTOCOL.md §6).
    return { control: 'subscribed', job, ...(ref === undefined || this.isAnnounced() ? {} : { ref }), epoch, seq, cursor, status }
  }

  private addPage(page: LogPage, batch: Frame[], left: Budget): Advance {
    const taken = this.addEvents(page, batch, left)
    const whole = taken === page.events.length
    if (page.more || !whole) return 'behind'
    if (!page.done) return 'waiting'
    batch.push({ control: 'done', job: this.job, cursor: this.after ?? page.cursor })
    return 'over'
  }

  private addEvents({ events, epoch, seq, cursor }: LogPage, batch: Frame[], left: Budget): number {
    let taken = 0
    const before = left.bytes
    this.after = cursor
    for (const event of events) {
      if (left.events <= 0 || left.bytes <= 0) break
      batch.push(event)
      this.after = event.id
      taken += 1
      left.events -= 1
      left.bytes -= bytesOf(event)
    }
    if (taken > 0) this.eventBytes = Math.ceil((before - left.bytes) / taken)
    this.epoch = epoch
    this.seq = seq + taken
    return taken
  }
}
