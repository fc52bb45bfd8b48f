/** The jobs that somebody follows, and which of them are wanted right now. */

import { now } from '../async/clock.ts'
import { MAX_LIST_CHARS } from '../protocol/rules.ts'
import type { Reader } from './reader.ts'
import type { Wants } from './readings.ts'

/** First pause before a job that was not to be had is asked for again; doubled each time. */
const FIRST_PAUSE_MS = 250
const MAX_PAUSE_MS = 30_000

/** What a job takes in a list, with a cursor of usual length where none is known. */
const listChars = (job: string, readers: Iterable<Reader>): number =>
  encodeURIComponent(job).length + 12 + Math.max(24, ...[...readers].map(({ position }) => position.cursor?.length ?? 0))

interface Job {
  readonly readers: Set<Reader>
  /** Not to be had now: unknown yet, or the server is busy with it. */
  held: { sinceMs: number; pauseMs: number; timer: ReturnType<typeof setTimeout> | undefined } | undefined
}

export interface Jobs {
  add(reader: Reader): void
  remove(reader: Reader): void
  readers(job?: string): Reader[]
  /** The readers that want events now: neither paused nor held, of at most `capacity` jobs. The same object until `changed`. */
  wants(capacity: number): Wants
  /** The readers of all jobs that don't fit. */
  beyond(capacity: number): Reader[]
  /** Whether another job would fit. */
  takes(job: string, capacity: number): boolean
  changed(): void
  /** Takes the job off the wants and calls back after a pause, longer each time. */
  hold(job: string, atLeastMs: number, onDue: () => void, atMostMs?: number): void
  /** Since when it has been held. */
  heldForMs(job: string): number
  areHeld(): boolean
  /** Puts the job back among the wants; with `due`, only where its pause is over. */
  free(job: string, due?: boolean): void
}

export function createJobs(): Jobs {
  const jobs = new Map<string, Job>()
  let cached: { capacity: number; wants: Wants } | undefined

  function changed(): void {
    cached = undefined
  }

  function free(job: string, due = false): void {
    const entry = jobs.get(job)
    if (!entry?.held || (due && entry.held.timer !== undefined)) return
    clearTimeout(entry.held.timer)
    entry.held = undefined
    changed()
  }

  /** How many of the jobs fit in one list: a list's URL has a bound as well (PROTOCOL.md §2). */
  function fitting(capacity: number): number {
    let count = 0
    let chars = 0
    for (const [id, { readers }] of jobs) {
      chars += listChars(id, readers)
      if (count >= capacity || (chars > MAX_LIST_CHARS && count > 0)) break
      count += 1
    }
    return count
  }

  const active = ([id, { readers, held }]: [string, Job]): [string, Reader[]][] => {
    const reading = held ? [] : [...readers].filter(({ paused }) => !paused)
    return reading.length > 0 ? [[id, reading]] : []
  }

  return {
    add(reader) {
      const entry = jobs.get(reader.job)
      if (entry) entry.readers.add(reader)
      else jobs.set(reader.job, { readers: new Set([reader]), held: undefined })
      changed()
    },
    remove(reader) {
      const entry = jobs.get(reader.job)
      if (!entry?.readers.delete(reader)) return
      if (entry.readers.size === 0) {
        free(reader.job)
        jobs.delete(reader.job)
      }
      changed()
    },
    readers: (job) => [...jobs].flatMap(([id, { readers }]) => (job === undefined || id === job ? [...readers] : [])),
    wants(capacity) {
      if (cached?.capacity !== capacity) cached = { capacity, wants: new Map([...jobs].slice(0, fitting(capacity)).flatMap(active)) }
      return cached.wants
    },
    beyond: (capacity) => [...jobs.values()].slice(fitting(capacity)).flatMap(({ readers }) => [...readers]),
    takes(job, capacity) {
      const chars = [...jobs].reduce((sum, [id, { readers }]) => sum + listChars(id, readers), listChars(job, []))
      return jobs.has(job) || jobs.size === 0 || (jobs.size < capacity && chars <= MAX_LIST_CHARS)
    },
    changed,
    hold(job, atLeastMs, onDue, atMostMs = Infinity) {
      const entry = jobs.get(job)
      if (!entry) return
      const { sinceMs, pauseMs, timer } = entry.held ?? { sinceMs: now(), pauseMs: FIRST_PAUSE_MS, timer: undefined }
      clearTimeout(timer)
      const held: Job['held'] = { sinceMs, pauseMs: Math.min(MAX_PAUSE_MS, pauseMs * 2), timer: undefined }
      held.timer = setTimeout(
        () => {
          held.timer = undefined
          onDue()
        },
        Math.min(atMostMs, Math.max(pauseMs, atLeastMs))
      )
      entry.held = held
      changed()
    },
    areHeld: () => [...jobs.values()].some(({ held }) => held),
    heldForMs(job) {
      const since = jobs.get(job)?.held?.sinceMs
      return since === undefined ? 0 : now() - since
    },
    free
  }
}
