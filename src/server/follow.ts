import { encodeEvent } from '../protocol/encode.ts'
import type { ByeReason, Control, Frame, JobStatus } from '../protocol/frames.ts'
import { TAIL } from '../protocol/rules.ts'
import type { EventLog, LogPage } from './log/types.ts'
import { isLogError } from './log/types.ts'
import { asControl, historyGone, internal, type Refusal, unknownJob } from './problem.ts'

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

export interface FollowOptions {
  log: EventLog
  heartbeatMs: number
  /** False for a reading that never waits: then wake-ups are not listened to. */
  listen: boolean
  /** Ends it. */
  signal: AbortSignal
  onError: (error: unknown) => void
}

/** Jobs read from the log as frames, at the pace of whoever pulls. */
export interface Follow {
  /** How many jobs are being read. */
  readonly size: number
  /** Controls said and not pulled yet. */
  readonly backlog: number
  /** There is more to read at once. */
  readonly behind: boolean
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
  ready(budget: Budget): Promise<Frame[]>
  /** Resolves when `ready` may have something, or at `wake`. */
  woken(): Promise<void>
  wake(): void
  /** The next frames; `undefined` at the end: after a `bye`, after the last job unless told to stay, after the signal. */
  next(budget: Budget, stay?: boolean): Promise<Frame[] | undefined>
}

interface Reader {
  readonly ask: Ask
  after: string | undefined
  /** The position that the reader has been told. */
  at?: { epoch: string; seq: number }
  unwatch?: () => void
}

/** A page costs a slow or far behind reader this much memory at most, in events. */
const PAGE = 100

/**
 * For each job: listens first, then reads, so that an event appended in between is never missed. A wake-up only makes a
 * job due; what there is comes from the log, and is read again at each heartbeat in case a wake-up was lost (PROTOCOL.md §8.2).
 */
export function createFollow({ log, heartbeatMs, listen, signal, onError }: FollowOptions): Follow {
  const readers = new Map<string, Reader>()
  /** Jobs that may have news, longest waiting first. */
  const due = new Set<Reader>()
  /** Heartbeats and pongs, which a slow reader must not pile up. */
  const beats = new Set<'heartbeat' | 'pong'>()
  let controls: Control[] = []
  let ended = false
  let waiting: PromiseWithResolvers<void> | undefined

  const heartbeat = setInterval(() => {
    beats.add('heartbeat')
    for (const reader of readers.values()) due.add(reader)
    wake()
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

  function wake(): void {
    waiting?.resolve()
    waiting = undefined
  }

  function subscribe(ask: Ask): void {
    if (ended) return
    unsubscribe(ask.job)
    const reader: Reader = { ask, after: ask.after }
    readers.set(ask.job, reader)
    due.add(reader)
    wake()
  }

  function unsubscribe(job: string): void {
    const reader = readers.get(job)
    if (!reader) return
    readers.delete(job)
    due.delete(reader)
    reader.unwatch?.()
  }

  function say(control: Control): void {
    if (ended) return
    if (control.control === 'heartbeat' || control.control === 'pong') beats.add(control.control)
    else controls.push(control)
    wake()
  }

  function fail(refusal: Refusal, job?: string): void {
    for (const each of job === undefined ? [...readers.keys()] : [job]) unsubscribe(each)
    say(asControl(refusal, job))
  }

  /** Reads one page of a job into the batch. */
  async function advance(reader: Reader, batch: Frame[], left: Budget): Promise<void> {
    const { job } = reader.ask
    const isCurrent = () => readers.get(job) === reader
    if (listen && !reader.unwatch) {
      const unwatch = await log.watch(job, () => {
        if (!isCurrent()) return
        due.add(reader)
        wake()
      })
      if (!isCurrent()) return unwatch()
      reader.unwatch = unwatch
    }
    if (reader.after === TAIL) reader.after = (await log.snapshot(job))?.cursor
    const page = await log.read(job, reader.after, Math.max(1, Math.min(PAGE, left.events)))
    const moved = page && (page.epoch !== reader.at?.epoch || page.seq !== reader.at.seq)
    const snapshot = moved ? await log.snapshot(job) : undefined
    if (!isCurrent()) return
    if (!page || (moved && !snapshot)) return fail(unknownJob(), job)
    if (snapshot) batch.push(subscribedAt(page, reader, snapshot.status))
    take(page, reader, batch, left)
  }

  function take({ events, epoch, seq, cursor, done, more }: LogPage, reader: Reader, batch: Frame[], left: Budget): void {
    let taken = 0
    reader.after = cursor
    for (const event of events) {
      if (left.events <= 0 || left.bytes <= 0) break
      batch.push(event)
      reader.after = event.id
      taken += 1
      left.events -= 1
      left.bytes -= encodeEvent(event).length
    }
    reader.at = { epoch, seq: seq + taken }
    if (more || taken < events.length) due.add(reader)
    else if (done) {
      batch.push({ control: 'done', job: reader.ask.job, cursor: reader.after })
      unsubscribe(reader.ask.job)
    }
  }

  async function ready(budget: Budget): Promise<Frame[]> {
    const left = { ...budget }
    const batch: Frame[] = [...takeControls(), ...[...beats].map((control) => ({ control }))]
    beats.clear()
    for (const reader of due) {
      // A job's position is told even where the budget is used up: an answer has a member for every job.
      if (reader.at && (left.events <= 0 || left.bytes <= 0)) continue
      due.delete(reader)
      try {
        await advance(reader, batch, left)
      } catch (error) {
        if (readers.get(reader.ask.job) === reader) fail(refusalOf(error), reader.ask.job)
      }
    }
    batch.push(...takeControls())
    return batch
  }

  function takeControls(): Control[] {
    const taken = controls
    controls = []
    return taken
  }

  function refusalOf(error: unknown): Refusal {
    if (isLogError(error, 'history-gone')) return historyGone()
    onError(error)
    return internal()
  }

  function woken(): Promise<void> {
    if (ended || due.size > 0 || controls.length > 0 || beats.size > 0) return Promise.resolve()
    waiting ??= Promise.withResolvers()
    return waiting.promise
  }

  return {
    get size() {
      return readers.size
    },
    get backlog() {
      return controls.length
    },
    get behind() {
      return due.size > 0
    },
    has: (job) => readers.has(job),
    subscribe,
    unsubscribe,
    fail,
    say,
    bye(reason, retryMs) {
      say({ control: 'bye', reason, retryMs })
      end()
    },
    ready,
    woken,
    wake,
    async next(budget, stay = false) {
      for (;;) {
        if (signal.aborted) return undefined
        const batch = await ready(budget)
        if (batch.length > 0) return batch
        if (controls.length > 0) continue
        if (ended || (readers.size === 0 && !stay)) return undefined
        await woken()
      }
    }
  }
}

/** `ref` is echoed once; told anew, where the log was trimmed or replaced, there is none (PROTOCOL.md §6). */
function subscribedAt({ epoch, seq, cursor }: LogPage, { ask: { job, ref }, at }: Reader, status: JobStatus): Frame {
  return { control: 'subscribed', job, ...(ref === undefined || at ? {} : { ref }), epoch, seq, cursor, status }
}
