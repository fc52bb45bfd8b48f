/** The jobs that somebody follows: who reads each, whether links are to read it, and when it is due to be read once. */

import { now } from '../async/clock.ts'
import type { Reader } from '../types.ts'

/** First pause before a job that was not to be had is asked for again; doubled each time. */
const FIRST_PAUSE_MS = 250
const MAX_PAUSE_MS = 30_000

/** Not to be had now: unknown yet, or the server is busy with it. */
interface Hold {
  readonly sinceMs: number
  readonly pauseMs: number
  /** All of its grace is over: what comes now is the last word. */
  readonly isLast: boolean
}

interface Job {
  readonly readers: Set<Reader>
  /** Those that links read for, until that changes: looked up for each event. */
  active: readonly Reader[] | undefined
  /** When it is read once, beside links or in place of them; Infinity: not at all. */
  dueAt: number
  /** A single read of it is under way. */
  isReading: boolean
  /** Not to be had, in a row. */
  hold: Hold | undefined
  /** Links don't ask for it. */
  isHeld: boolean
  /** The server has told where it is. */
  isKnown: boolean
  /** Where each transport asked for it last: the same question again may be answered by a cache. */
  readonly asked: Map<string, string | undefined>
}

export interface JobTable {
  add(reader: Reader, dueAt: number): void
  remove(reader: Reader): void
  readonly size: number
  has(job: string): boolean
  all(): Reader[]
  readers(job: string): Reader[]
  /** The readers of a job that links read for. */
  active(job: string): readonly Reader[]
  /** A reader's mode has changed. */
  modesChanged(): void
  /** The jobs that links are to read. */
  wanted(): string[]
  /** The readers of the jobs beyond capacity. */
  beyond(): Reader[]
  /** Jobs that are due to be read once by now. */
  due(at: number): string[]
  /** When the next one is; Infinity: none. */
  nextDueAt(): number
  setDue(job: string, at: number): void
  /** What the server doesn't yet tell where it is gets due at once: a race begins. */
  setUnknownDue(): void
  reading(job: string, isReading: boolean): void
  /** The server has told where it is: nothing holds it back any more. */
  known(job: string): void
  /** Takes the job off what links read, and has it read once after a pause, longer each time. False where it has been held for all of its grace. */
  hold(job: string, atLeastMs: number, graceMs: number): boolean
  /** Puts a held job that nothing is due for back among what links read. */
  release(job: string): void
  isHeld(): boolean
  /** Records a question; true where the transport asked the same one before. */
  asksAgain(job: string, transport: string, cursor: string | undefined): boolean
}

/** `capacity`: for how many jobs there is room; until that is known only the first is wanted, and the others wait behind it. */
export function createJobTable(capacity: () => number | undefined): JobTable {
  const jobs = new Map<string, Job>()
  const readers = (job: string): Reader[] => [...(jobs.get(job)?.readers ?? [])]

  function active(job: string): readonly Reader[] {
    const entry = jobs.get(job)
    if (!entry) return []
    entry.active ??= [...entry.readers].filter(({ mode }) => mode === 'link')
    return entry.active
  }

  const isReadable = ([job, { isReading }]: [string, Job]): boolean => !isReading && active(job).length > 0

  function settle(entry: Job | undefined): void {
    if (!entry) return
    entry.isHeld = false
    entry.dueAt = Infinity
  }

  return {
    add(reader, dueAt) {
      const entry = jobs.get(reader.job)
      if (entry) {
        entry.readers.add(reader)
        entry.active = undefined
      } else
        jobs.set(reader.job, {
          readers: new Set([reader]),
          active: undefined,
          dueAt,
          isReading: false,
          hold: undefined,
          isHeld: false,
          isKnown: false,
          asked: new Map()
        })
    },
    remove(reader) {
      const entry = jobs.get(reader.job)
      if (!entry?.readers.delete(reader)) return
      entry.active = undefined
      if (entry.readers.size === 0) jobs.delete(reader.job)
    },
    get size() {
      return jobs.size
    },
    has: (job) => jobs.has(job),
    all: () => [...jobs.values()].flatMap((entry) => [...entry.readers]),
    readers,
    active,
    modesChanged() {
      for (const entry of jobs.values()) entry.active = undefined
    },
    wanted: () => [...jobs.keys()].slice(0, capacity() ?? 1).filter((job) => !jobs.get(job)?.isHeld && active(job).length > 0),
    beyond: () => (jobs.size > (capacity() ?? Infinity) ? [...jobs.keys()].slice(capacity()).flatMap(readers) : []),
    due: (at) => [...jobs].filter((each) => each[1].dueAt <= at && isReadable(each)).map(([job]) => job),
    nextDueAt: () => [...jobs].filter(isReadable).reduce((at, [, { dueAt }]) => Math.min(at, dueAt), Infinity),
    setDue(job, at) {
      const entry = jobs.get(job)
      if (entry) entry.dueAt = at
    },
    setUnknownDue() {
      for (const entry of jobs.values()) if (!entry.isKnown && !entry.isHeld) entry.dueAt = 0
    },
    reading(job, isReading) {
      const entry = jobs.get(job)
      if (!entry) return
      entry.isReading = isReading
      if (isReading) entry.dueAt = Infinity
    },
    known(job) {
      const entry = jobs.get(job)
      if (!entry) return
      entry.isKnown = true
      entry.hold = undefined
      settle(entry)
    },
    hold(job, atLeastMs, graceMs) {
      const entry = jobs.get(job)
      const at = now()
      const { sinceMs, pauseMs, isLast } = entry?.hold ?? { sinceMs: at, pauseMs: FIRST_PAUSE_MS, isLast: false }
      // Not by the clock alone: the answer may be from before the machine slept.
      if (!entry || isLast) return false
      // Told so by several at once, it is asked again once.
      if (entry.isHeld && entry.dueAt > at && entry.dueAt < Infinity) {
        entry.dueAt = Math.max(entry.dueAt, at + atLeastMs)
        return true
      }
      const leftMs = sinceMs + graceMs - at
      // Everybody who follows it was told the same: they come back over as long again.
      const ms = Math.max(0, Math.min(leftMs, Math.max(pauseMs, atLeastMs * (1 + Math.random()))))
      entry.dueAt = at + ms
      entry.isHeld = true
      entry.hold = { sinceMs, pauseMs: Math.min(MAX_PAUSE_MS, pauseMs * 2), isLast: at + ms >= sinceMs + graceMs }
      return true
    },
    release(job) {
      const entry = jobs.get(job)
      if (entry?.dueAt === Infinity) settle(entry)
    },
    isHeld: () => [...jobs.values()].some((entry) => entry.isHeld),
    asksAgain(job, transport, cursor) {
      const asked = jobs.get(job)?.asked
      const isSame = asked?.has(transport) === true && asked.get(transport) === cursor
      asked?.set(transport, cursor)
      return isSame
    }
  }
}
