import { longTimeout } from '../long-timeout.ts'
import { historyGoneError } from './log-errors.ts'
import { createMemoryJob, type MemoryJob } from './memory-job.ts'
import type { Lease } from './memory-lease.ts'
import type { MemorySettings } from './memory-options.ts'
import type { Adopted } from './types.ts'

export interface StoredJob {
  readonly job: MemoryJob
  lease?: Lease
  /** Present where the job runs again once its lease has expired; `attempt` is the current one. */
  rerun?: Adopted & { readonly maxAttempts: number }
  /** When the last event was appended, by `performance.now()`: the wall clock may jump. */
  lastAt: number
  /** Cancels the timer that drops the job. */
  stop(): void
}

/** The jobs of a log in memory: each is kept until it has expired, or until there is no room for it among those that have ended. */
export interface MemoryStore {
  get(jobId: string): StoredJob | undefined
  /** Whether the job was dropped within the last `ttlMs`. */
  isGone(jobId: string): boolean
  /** As `get`. Throws `history-gone` for a job that `isGone`. */
  find(jobId: string): StoredJob | undefined
  create(jobId: string): StoredJob
  /** Keeps a job that has just ended for `ttlMs`, and drops those that ended first where all together are more than `maxEndedBytes`. */
  keepEnded(jobId: string, kept: StoredJob): void
  /** Deletes the job, and that it was ever there. */
  delete(jobId: string): void
  clear(): void
}

/** How many dropped jobs are remembered as gone. Those dropped before are unknown, as all are after `ttlMs`. */
const MAX_GONE = 10_000

export function createMemoryStore({ maxEvents, maxBytes, maxEndedBytes, ttlMs, idleTtlMs }: MemorySettings): MemoryStore {
  const jobs = new Map<string, StoredJob>()
  /** The size of each job that has ended, the one that ended first in front. */
  const ended = new Map<string, number>()
  let endedBytes = 0
  /** Dropped jobs, so that `history-gone` is told from "unknown"; each with a function that cancels its timer. The one that was dropped first is in front. */
  const gone = new Map<string, () => void>()

  const after = (ms: number, run: () => void): (() => void) => longTimeout(ms, run, { unref: true })

  function drop(jobId: string): void {
    const kept = jobs.get(jobId)
    kept?.stop()
    kept?.lease?.release()
    jobs.delete(jobId)
    endedBytes -= ended.get(jobId) ?? 0
    ended.delete(jobId)
  }

  function expire(jobId: string): void {
    drop(jobId)
    const [first] = gone.keys()
    if (gone.size >= MAX_GONE && first !== undefined) forgetGone(first)
    gone.set(
      jobId,
      after(ttlMs, () => gone.delete(jobId))
    )
  }

  function forgetGone(jobId: string): void {
    gone.get(jobId)?.()
    gone.delete(jobId)
  }

  /** Sets one timer for each job and checks at its end whether an event came meanwhile: a timer set anew at each event would cost more than the append. */
  function dropWhereIdle(jobId: string, kept: StoredJob, ms = idleTtlMs): void {
    kept.stop = after(ms, () => {
      const leftMs = kept.lease ? idleTtlMs : kept.lastAt + idleTtlMs - performance.now()
      if (leftMs > 0) dropWhereIdle(jobId, kept, leftMs)
      else expire(jobId)
    })
  }

  const store: MemoryStore = {
    get: (jobId) => jobs.get(jobId),
    isGone: (jobId) => gone.has(jobId),
    find(jobId) {
      if (gone.has(jobId)) throw historyGoneError(jobId, ttlMs, ', or jobs that ended later needed the room (maxEndedBytes)')
      return jobs.get(jobId)
    },
    create(jobId) {
      const kept: StoredJob = { job: createMemoryJob(jobId, { maxEvents, maxBytes }), lastAt: 0, stop: () => {} }
      jobs.set(jobId, kept)
      forgetGone(jobId)
      dropWhereIdle(jobId, kept)
      return kept
    },
    keepEnded(jobId, kept) {
      kept.stop()
      kept.stop = after(ttlMs, () => expire(jobId))
      const { size } = kept.job
      ended.set(jobId, size)
      endedBytes += size
      for (const oldest of ended.keys()) {
        if (endedBytes <= maxEndedBytes || oldest === jobId) return
        expire(oldest)
      }
    },
    delete(jobId) {
      drop(jobId)
      forgetGone(jobId)
    },
    clear() {
      for (const jobId of [...jobs.keys(), ...gone.keys()]) store.delete(jobId)
    }
  }
  return store
}
