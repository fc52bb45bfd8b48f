import type { Frame, JobStatus } from '../protocol/frames.ts'
import { TAIL } from '../protocol/rules.ts'
import { bytesOf } from './encode.ts'
import { unknownJob } from './http-error.ts'
import type { Listener, SharedLog } from './log/shared.ts'
import type { LogPage } from './log/types.ts'

export interface SubscribeRequest {
  job: string
  after?: string | undefined
  ref?: number | undefined
}

/** How much is read at once: the bound of what a reading holds. */
export interface Budget {
  events: number
  /** Of the events' JSON in UTF-8, about: an event is taken whole. Finite: what was taken is reckoned from what is left. */
  bytes: number
}

export type Advance = 'behind' | 'waiting' | 'over'

export interface JobCursorOptions {
  log: SharedLog
  /** Told where there may be news; listened for before anything is read: an event appended in between is never missed (PROTOCOL.md §8.2). Without it nothing is listened to. */
  onNews?: ((reader: JobCursor) => void) | undefined
}

/** Events of the first page, before it is known how large they are. */
const FIRST_PAGE = 100
/** A page costs a reading this much memory at most, in events. */
const MAX_PAGE = 1000

/** One job's place in its log, and what of it a reading has been told. A class, as all that each follower has one of: closures would be a kB more, and cold when an event comes. */
export class JobCursor implements Listener {
  readonly job: string
  /** It waits to be read. */
  isDue = false
  /** The log was out of reach when it was read. */
  isLate = false
  private readonly ref: number | undefined
  private readonly options: JobCursorOptions
  private after: string | undefined
  /** Where it has been told that it stands. */
  private epoch: string | undefined
  private seq = 0
  /** How large the events of the last page were; 0 before it. */
  private eventBytes = 0
  /** The last that was read for all: from another place than this reader's it is not taken. */
  private ahead: LogPage | undefined
  private isListening = false
  private closed = false

  constructor({ job, after, ref }: SubscribeRequest, options: JobCursorOptions) {
    this.job = job
    this.after = after
    this.ref = ref
    this.options = options
  }

  /** It has been told where it stands. */
  announced(): boolean {
    return this.epoch !== undefined
  }

  wake(page?: LogPage): void {
    this.ahead = page
    this.options.onNews?.(this)
  }

  /** Reads a page into the batch, taking it from the budget: at once, where it has been read for all. Throws the refusal, or what the log throws. */
  advance(batch: Frame[], left: Budget): Advance | Promise<Advance> {
    const page = this.ahead
    this.ahead = undefined
    return page && !this.hasMoved(page) ? this.tell(page, batch, left) : this.read(batch, left)
  }

  close(): void {
    this.closed = true
    if (this.isListening) this.options.log.unlisten(this.job, this)
  }

  private async read(batch: Frame[], left: Budget): Promise<Advance> {
    const { job, options } = this
    const { log, onNews } = options
    if (onNews && !this.isListening) await this.listen()
    if (this.after === TAIL) this.after = (await log.snapshot(job))?.cursor
    const page = await log.read(job, this.after, this.pageFor(left))
    const moved = page && this.hasMoved(page)
    const snapshot = moved ? await log.snapshot(job) : undefined
    if (this.closed) return 'over'
    if (!page || (moved && !snapshot)) throw unknownJob()
    if (snapshot) batch.push(this.subscribed(page, snapshot.status))
    return this.tell(page, batch, left)
  }

  /** As many as there is room for by the size of those before: what is read beyond that is thrown away again. */
  private pageFor({ events, bytes }: Budget): number {
    const fitting = this.eventBytes === 0 ? FIRST_PAGE : Math.ceil(bytes / this.eventBytes)
    return Math.max(1, Math.min(fitting, events, MAX_PAGE))
  }

  private async listen(): Promise<void> {
    this.isListening = true
    try {
      await this.options.log.listen(this.job, this)
    } catch (error) {
      this.isListening = false
      throw error
    }
  }

  private hasMoved({ epoch, seq }: LogPage): boolean {
    return epoch !== this.epoch || seq !== this.seq
  }

  private subscribed({ epoch, seq, cursor }: LogPage, status: JobStatus): Frame {
    const { job, ref } = this
    // Told anew, where the log was trimmed or replaced, there is no `ref` (PROTOCOL.md §6).
    return { control: 'subscribed', job, ...(ref === undefined || this.announced() ? {} : { ref }), epoch, seq, cursor, status }
  }

  private tell(page: LogPage, batch: Frame[], left: Budget): Advance {
    const taken = this.take(page, batch, left)
    const whole = taken === page.events.length
    if (page.more || !whole) return 'behind'
    if (!page.done) return 'waiting'
    batch.push({ control: 'done', job: this.job, cursor: this.after ?? page.cursor })
    return 'over'
  }

  private take({ events, epoch, seq, cursor }: LogPage, batch: Frame[], left: Budget): number {
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
