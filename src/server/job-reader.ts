import { encodeEvent } from '../protocol/encode.ts'
import type { Frame, JobStatus } from '../protocol/frames.ts'
import { TAIL } from '../protocol/rules.ts'
import type { SharedLog } from './log/shared.ts'
import type { LogPage } from './log/types.ts'
import { unknownJob } from './problem.ts'

export interface Ask {
  job: string
  after?: string | undefined
  ref?: number | undefined
}

/** How much is read at once: the bound of what a reading holds. */
export interface Budget {
  events: number
  /** About: one event is always taken. */
  bytes: number
}

export type Advance = 'behind' | 'waiting' | 'over'

/** One job's place in its log, and what of it a reading has been told. */
export interface JobReader {
  readonly job: string
  /** It has been told where it stands. */
  announced(): boolean
  /** Reads a page into the batch, taking it from the budget: at once, where it has been read for all. Throws the refusal, or what the log throws. */
  advance(batch: Frame[], left: Budget): Advance | Promise<Advance>
  close(): void
}

/** What comes of a job at once, to whoever can be told that there is more. */
export const BURST: Budget = { events: 1000, bytes: 2 ** 20 }

/** A page costs a reading this much memory at most, in events. */
const MAX_PAGE = 100

/** Listens before it reads, where there is a `wake` to call: an event appended in between is never missed (PROTOCOL.md §8.2). */
export function createJobReader({ job, after: asked, ref }: Ask, log: SharedLog, wake: (() => void) | undefined, saysMore = false): JobReader {
  let after = asked
  let at: { epoch: string; seq: number } | undefined
  /** How many events are read at once: fewer of large ones, so that few are read to be thrown away again. */
  let pageSize = MAX_PAGE
  /** The last that was read for all: from another place than this reader's it is not taken. */
  let ahead: LogPage | undefined
  /** What has come of the job since this was last at the log's end. */
  let burstEvents = 0
  let burstBytes = 0
  let unwatch: (() => void) | undefined
  let closed = false

  async function listen(wake: () => void): Promise<void> {
    const stop = await log.watch(job, (page) => {
      if (closed) return
      ahead = page
      wake()
    })
    if (closed) stop()
    else unwatch = stop
  }

  function subscribed({ epoch, seq, cursor }: LogPage, status: JobStatus): Frame {
    // Told anew, where the log was trimmed or replaced, there is no `ref` (PROTOCOL.md §6).
    return { control: 'subscribed', job, ...(ref === undefined || at ? {} : { ref }), epoch, seq, cursor, status }
  }

  function take({ events, epoch, seq, cursor }: LogPage, batch: Frame[], left: Budget): number {
    let taken = 0
    const before = left.bytes
    after = cursor
    for (const event of events) {
      if (left.events <= 0 || left.bytes <= 0) break
      batch.push(event)
      after = event.id
      taken += 1
      left.events -= 1
      left.bytes -= encodeEvent(event).length
    }
    at = { epoch, seq: seq + taken }
    burstEvents += taken
    burstBytes += before - left.bytes
    return taken
  }

  const hasMoved = ({ epoch, seq }: LogPage) => epoch !== at?.epoch || seq !== at.seq

  async function read(batch: Frame[], left: Budget): Promise<Advance> {
    if (wake && !unwatch) await listen(wake)
    if (after === TAIL) after = (await log.snapshot(job))?.cursor
    const page = await log.read(job, after, Math.max(1, Math.min(pageSize, left.events)))
    const moved = page && hasMoved(page)
    const snapshot = moved ? await log.snapshot(job) : undefined
    if (closed) return 'over'
    if (!page || (moved && !snapshot)) throw unknownJob()
    if (snapshot) batch.push(subscribed(page, snapshot.status))
    return tell(page, batch, left)
  }

  function tell(page: LogPage, batch: Frame[], left: Budget): Advance {
    const taken = take(page, batch, left)
    const whole = taken === page.events.length
    pageSize = whole ? Math.min(MAX_PAGE, pageSize * 2) : Math.max(1, taken)
    if (page.more || !whole) {
      if (!saysMore || (burstEvents < BURST.events && burstBytes < BURST.bytes)) return 'behind'
      batch.push({ control: 'more', job })
      return 'over'
    }
    burstEvents = burstBytes = 0
    if (!page.done) return 'waiting'
    batch.push({ control: 'done', job, cursor: after ?? page.cursor })
    return 'over'
  }

  return {
    job,
    announced: () => at !== undefined,
    advance(batch, left) {
      const page = ahead
      ahead = undefined
      return page && !hasMoved(page) ? tell(page, batch, left) : read(batch, left)
    },
    close() {
      closed = true
      unwatch?.()
      unwatch = undefined
    }
  }
}
