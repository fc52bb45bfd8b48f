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
  held: { readonly sinceMs: number; pauseMs: number; timer: ReturnType<typeof setTimeout> | undefined } | undefined
}

export interface Jobs {
  add(reader: Reader): void
  remove(reader: Reader): void
  all(): Reader[]
  readers(job: string): Reader[]
  /** The readers of a job that are not paused. */
  active(job: string): Reader[]
  /** Of at most `capacity` jobs those that have active readers and are not held. */
  wanted(capacity: number): string[]
  /** The readers of all jobs that don't fit. */
  beyond(capacity: number): Reader[]
  /** Whether another job would fit. */
  takes(job: string, capacity: number): boolean
  /** Takes the job off what is wanted, and has it asked for after a pause, longer each time. */
  hold(job: string, atLeastMs: number, atMostMs?: number): void
  /** Since when it has been held. */
  heldForMs(job: string): number
  areHeld(): boolean
  /** Puts the job back among what is wanted; with `due`, only where its pause is over. */
  free(job: string, due?: boolean): void
}

export function createJobs(onDue: (job: string) => void): Jobs {
  const jobs = new Map<string, Job>()

  const readers = (job: string): Reader[] => [...(jobs.get(job)?.readers ?? [])]
  const active = (job: string): Reader[] => readers(job).filter(({ paused }) => !paused)

  /** Those that fit in one list, in the order of their coming: a list's URL has a bound as well (PROTOCOL.md §2). */
  function fitting(capacity: number, ids = [...jobs.keys()]): string[] {
    let chars = 0
    return ids.filter((job, index) => {
      // A cursor of usual length where none is known.
      chars += encodeURIComponent(job).length + 12 + Math.max(24, ...readers(job).map(({ position }) => position.cursor?.length ?? 0))
      return index === 0 || (index < capacity && chars <= MAX_LIST_CHARS)
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
    wanted: (capacity) => fitting(capacity).filter((job) => !jobs.get(job)?.held && active(job).length > 0),
    beyond: (capacity) => [...jobs.keys()].slice(fitting(capacity).length).flatMap(readers),
    takes: (job, capacity) => jobs.has(job) || fitting(capacity, [...jobs.keys(), job]).length > jobs.size,
    hold(job, atLeastMs, atMostMs = Infinity) {
      const entry = jobs.get(job)
      if (!entry) return
      entry.held ??= { sinceMs: now(), pauseMs: FIRST_PAUSE_MS, timer: undefined }
      const { held } = entry
      clearTimeout(held.timer)
      const due = (): void => {
        held.timer = undefined
        onDue(job)
      }
      held.timer = setTimeout(due, Math.min(atMostMs, Math.max(held.pauseMs, atLeastMs)))
      held.pauseMs = Math.min(MAX_PAUSE_MS, held.pauseMs * 2)
    },
    heldForMs: (job) => now() - (jobs.get(job)?.held?.sinceMs ?? now()),
    areHeld: () => [...jobs.values()].some(({ held }) => held),
    free
  }
}
