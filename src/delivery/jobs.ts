/** The jobs that somebody follows, and which of them are wanted right now. */

import { now } from '../async/clock.ts'
import { MAX_LIST_CHARS } from '../protocol/rules.ts'
import type { Reader } from './reader.ts'

/** First pause before a job that was not to be had is asked for again; doubled each time. */
const FIRST_PAUSE_MS = 250
const MAX_PAUSE_MS = 30_000

interface Job {
  readonly readers: Set<Reader>
  /** Not to be had now: unknown yet, or the server is busy with it. */
  held: { readonly sinceMs: number; pauseMs: number; isLast: boolean; timer: ReturnType<typeof setTimeout> | undefined } | undefined
}

export interface Jobs {
  add(reader: Reader): void
  remove(reader: Reader): void
  all(): Reader[]
  readers(job: string): Reader[]
  /** The readers of a job that links read for. */
  active(job: string): Reader[]
  /** Of the jobs that fit those that have active readers and are not held. */
  wanted(): string[]
  /** The readers of all jobs that don't fit. */
  beyond(): Reader[]
  /** Whether the job is among them, or would fit. */
  takes(job: string): boolean
  /** Takes the job off what is wanted, and has it asked for after a pause, longer each time. False where it has been held for all of its grace. */
  hold(job: string, atLeastMs?: number, graceMs?: number): boolean
  areHeld(): boolean
  /** Puts the job back among what is wanted; with `due`, only where its pause is over. */
  free(job: string, due?: boolean): void
}

/** `capacity`: for how many jobs there is room; until that is known only the first is wanted, and the others wait behind it. */
export function createJobs(capacity: () => number | undefined, onDue: (job: string) => void): Jobs {
  const jobs = new Map<string, Job>()

  const readers = (job: string): Reader[] => [...(jobs.get(job)?.readers ?? [])]
  const active = (job: string): Reader[] => readers(job).filter(({ paused, behind }) => !paused && !behind)

  /** Those that fit in one list, in the order of their coming: a list's URL has a bound as well (PROTOCOL.md §2). */
  function fitting(room = capacity() ?? Infinity, ids = [...jobs.keys()]): string[] {
    let chars = 0
    return ids.filter((job, index) => {
      // A cursor of usual length where none is known.
      chars += encodeURIComponent(job).length + 12 + Math.max(24, ...readers(job).map(({ position }) => position.cursor?.length ?? 0))
      return index === 0 || (index < room && chars <= MAX_LIST_CHARS)
    })
  }

  function free(job: string, due = false): void {
    const entry = jobs.get(job)
    if (!entry?.held || (due && entry.held.timer)) return
    clearTimeout(entry.held.timer)
    entry.held = undefined
  }

  return {
    add(reader) {
      const entry = jobs.get(reader.job)
      if (entry) entry.readers.add(reader)
      else jobs.set(reader.job, { readers: new Set([reader]), held: undefined })
    },
    remove(reader) {
      const { job } = reader
      if (!jobs.get(job)?.readers.delete(reader) || readers(job).length > 0) return
      free(job)
      jobs.delete(job)
    },
    all: () => [...jobs.keys()].flatMap(readers),
    readers,
    active,
    wanted: () => fitting(capacity() ?? 1).filter((job) => !jobs.get(job)?.held && active(job).length > 0),
    beyond: () => [...jobs.keys()].slice(fitting().length).flatMap(readers),
    takes: (job) => jobs.has(job) || fitting(undefined, [...jobs.keys(), job]).length > jobs.size,
    hold(job, atLeastMs = 0, graceMs = Infinity) {
      const entry = jobs.get(job)
      if (!entry) return false
      entry.held ??= { sinceMs: now(), pauseMs: FIRST_PAUSE_MS, isLast: false, timer: undefined }
      const { held } = entry
      const leftMs = held.sinceMs + graceMs - now()
      // Not by the clock alone: the answer may be from before the machine slept.
      if (held.isLast) return false
      clearTimeout(held.timer)
      const due = (): void => {
        held.timer = undefined
        held.isLast = now() >= held.sinceMs + graceMs
        onDue(job)
      }
      // Everybody who follows it was told the same: they come back over as long again.
      held.timer = setTimeout(due, Math.max(0, Math.min(leftMs, Math.max(held.pauseMs, atLeastMs * (1 + Math.random())))))
      held.pauseMs = Math.min(MAX_PAUSE_MS, held.pauseMs * 2)
      return true
    },
    areHeld: () => [...jobs.values()].some(({ held }) => held),
    free
  }
}
