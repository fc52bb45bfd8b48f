/** The jobs that are followed: who reads each one, whether links should read it, and when a single read of it is due. */

import { now } from '../async/clock.ts'
import type { Reader } from '../types.ts'

/** The first pause before a held job is asked for again; doubled each time. */
const FIRST_PAUSE_MS = 250
const MAX_PAUSE_MS = 30_000

/** A job that cannot be read now: the server does not know it yet, or is busy with it. */
interface Hold {
  /** Since when, in ms since 1970. */
  readonly sinceMs: number
  /** The next pause. */
  readonly pauseMs: number
  /** Its grace is over: the next refusal is final. */
  readonly isLast: boolean
}

/** One job that is followed. */
interface Job {
  readonly readers: Set<Reader>
  /** The readers that links read for. Cached, because it is looked up for each event; `undefined` after a change. */
  active: readonly Reader[] | undefined
  /** When a single read of it is due, in ms since 1970; `Infinity`: none is. */
  dueAt: number
  /** Set from the first refusal until the server reads the job. */
  hold: Hold | undefined
  /** True while links leave the job out. */
  isHeld: boolean
  /** The cursor that each transport last requested it from, as text: a cache may answer a repeated request. */
  readonly asked: Map<string, string>
}

/** The jobs of one connection. Times are in ms since 1970. */
export interface JobTable {
  /** Adds a reader. */
  add(reader: Reader): void
  /** Removes a reader, and its job with the last one. */
  remove(reader: Reader): void
  /** How many jobs there are. */
  readonly size: number
  /** Whether somebody follows the job. */
  has(job: string): boolean
  /** All readers. */
  all(): Reader[]
  /** The readers of a job. */
  readers(job: string): Reader[]
  /** The readers of a job that links read for. */
  active(job: string): readonly Reader[]
  /** Has to be called when a reader's mode has changed. */
  modesChanged(): void
  /** The jobs that links should read: those within capacity that are not held. */
  wanted(): string[]
  /** The readers of the jobs beyond capacity. */
  surplus(): Reader[]
  /** The jobs of which a single read is due by then. */
  due(at: number): string[]
  /** When the next single read is due; `Infinity`: none is. */
  nextDueAt(): number
  /** Makes a single read of the job due at that time; `Infinity`: none. */
  setDue(job: string, at: number): void
  /** Makes a single read due at once of every job of which no reader has a position yet. */
  setUnknownDue(): void
  /** The server has told a position in the job's log: it is no longer held. */
  setKnown(job: string): void
  /**
   * Holds a job: links leave it out, and a single read is due after a pause, longer each time, of at least `atLeastMs`. Returns false where
   * it was held for all of `graceMs`.
   */
  hold(job: string, atLeastMs: number, graceMs: number): boolean
  /** Gives a held job back to the links, unless a single read of it is due. */
  release(job: string): void
  /** Records the cursor that a transport requests a job from. Returns true where its last request had the same one. */
  isRepeat(job: string, transport: string, cursor: string | undefined): boolean
}

/**
 * `capacity`: how many jobs the connection may carry. Until the server has told it, only the first job is read, and the others wait for its
 * `hello`.
 */
export function createJobTable(capacity: () => number | undefined): JobTable {
  const jobs = new Map<string, Job>()
  const readers = (job: string): Reader[] => [...(jobs.get(job)?.readers ?? [])]

  function active(job: string): readonly Reader[] {
    const entry = jobs.get(job)
    if (!entry) return []
    entry.active ??= [...entry.readers].filter(({ mode }) => mode === 'link')
    return entry.active
  }

  /** When a single read of a job that somebody reads is due. */
  const dueOf = ([job, { dueAt }]: [string, Job]): number => (active(job).length > 0 ? dueAt : Infinity)

  return {
    add(reader) {
      const entry: Job = jobs.get(reader.job) ?? { readers: new Set(), active: undefined, dueAt: Infinity, hold: undefined, isHeld: false, asked: new Map() }
      entry.readers.add(reader)
      entry.active = undefined
      jobs.set(reader.job, entry)
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
    surplus: () => [...jobs.keys()].slice(capacity() ?? Infinity).flatMap(readers),
    due: (at) => [...jobs].filter((each) => dueOf(each) <= at).map(([job]) => job),
    nextDueAt: () => Math.min(...[...jobs].map(dueOf)),
    setDue(job, at) {
      const entry = jobs.get(job)
      if (entry) entry.dueAt = at
    },
    setUnknownDue() {
      for (const entry of jobs.values()) if (!entry.isHeld && ![...entry.readers].some(({ position }) => position.epoch)) entry.dueAt = 0
    },
    setKnown(job) {
      const entry = jobs.get(job)
      if (!entry) return
      entry.hold = undefined
      entry.isHeld = false
      entry.dueAt = Infinity
    },
    hold(job, atLeastMs, graceMs) {
      const entry = jobs.get(job)
      // The clock alone does not decide: the refusal may be from before the machine slept.
      if (!entry || entry.hold?.isLast) return false
      const at = now()
      const { sinceMs, pauseMs } = entry.hold ?? { sinceMs: at, pauseMs: FIRST_PAUSE_MS }
      // Several links may report the same refusal: the job is asked for again once.
      if (entry.dueAt > at && entry.dueAt < Infinity) {
        entry.dueAt = Math.max(entry.dueAt, at + atLeastMs)
        return true
      }
      const lastAt = Math.max(at, sinceMs + graceMs)
      // Every client that follows it was told the same pause: chance spreads them over as long again.
      entry.dueAt = Math.min(lastAt, at + Math.max(pauseMs, atLeastMs * (1 + Math.random())))
      entry.isHeld = true
      entry.hold = { sinceMs, pauseMs: Math.min(MAX_PAUSE_MS, pauseMs * 2), isLast: entry.dueAt === lastAt }
      return true
    },
    release(job) {
      const entry = jobs.get(job)
      if (entry?.dueAt === Infinity) entry.isHeld = false
    },
    isRepeat(job, transport, cursor) {
      const asked = jobs.get(job)?.asked
      const isSame = asked?.get(transport) === `${cursor}`
      asked?.set(transport, `${cursor}`)
      return isSame
    }
  }
}
