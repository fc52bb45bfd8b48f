import type { WireEvent } from '../../protocol/frames.ts'
import { longTimeout } from '../long-timeout.ts'
import { checkAppend, checkEntries, checkJobId, checkLease, lostData, rerunData, show } from './entry.ts'
import { closedError, endedError, historyGoneError, leaseConflict, seqConflict } from './log-errors.ts'
import { createMemoryJob, type MemoryJob } from './memory-job.ts'
import { createLease, type Lease } from './memory-lease.ts'
import { type MemoryLogOptions, memorySettings } from './memory-options.ts'
import { markPrivate, namedLog } from './process-wide.ts'
import { type Adopted, type AppendOptions, type Entry, type EventLog, LEASE_IS_OVER } from './types.ts'

interface StoredJob {
  readonly job: MemoryJob
  lease?: Lease
  /** Present where the job runs again once its lease has expired; `attempt` is the current one. */
  rerun?: Adopted & { readonly maxAttempts: number }
  /** When the last event was appended, by `performance.now()`: the wall clock may jump. */
  lastAt: number
  /** Cancels the timer that drops the job. */
  stop(): void
}

/**
 * Keeps events in this process' memory: they are gone with the process, and no other process sees them. Retained events are bounded for each job, not for all
 * jobs together.
 *
 * @throws {RangeError} or `TypeError` for an option out of range; the message names it.
 */
export function memoryLog({ name, ...options }: MemoryLogOptions = {}): EventLog {
  if (name === undefined) return markPrivate(createMemoryLog(options))
  if (typeof name !== 'string' || name === '') throw new TypeError(`name: expected a non-empty string, got ${show(name)}`)
  return namedLog(name, () => createMemoryLog(options))
}

function createMemoryLog(options: MemoryLogOptions): EventLog {
  const { maxEvents, maxBytes, ttlMs, idleTtlMs } = memorySettings(options)
  const jobs = new Map<string, StoredJob>()
  const watchers = new Map<string, Set<(what?: string) => void>>()
  /** Dropped jobs, so that `history-gone` is told from "unknown" for another `ttlMs`; each with a function that cancels its timer. */
  const expired = new Map<string, () => void>()
  let closed = false

  const after = (ms: number, run: () => void): (() => void) => longTimeout(ms, run, { unref: true })

  function dropJob(jobId: string): void {
    const kept = jobs.get(jobId)
    kept?.stop()
    kept?.lease?.release()
    jobs.delete(jobId)
  }

  function expireJob(jobId: string): void {
    dropJob(jobId)
    expired.set(
      jobId,
      after(ttlMs, () => expired.delete(jobId))
    )
  }

  function forgetExpired(jobId: string): void {
    expired.get(jobId)?.()
    expired.delete(jobId)
  }

  /** Sets one timer for each job and checks at its end whether an event came meanwhile: a timer set anew at each event would cost more than the append. */
  function dropWhereIdle(jobId: string, kept: StoredJob, ms = idleTtlMs): void {
    kept.stop = after(ms, () => {
      const leftMs = kept.lease ? idleTtlMs : kept.lastAt + idleTtlMs - performance.now()
      if (leftMs > 0) dropWhereIdle(jobId, kept, leftMs)
      else expireJob(jobId)
    })
  }

  function checkOpen(): void {
    if (closed) throw closedError()
  }

  function find(jobId: string): StoredJob | undefined {
    checkOpen()
    const job = jobs.get(jobId)
    if (!job && expired.has(jobId)) throw historyGoneError(jobId, ttlMs)
    return job
  }

  function create(jobId: string): StoredJob {
    const kept: StoredJob = { job: createMemoryJob(jobId, { maxEvents, maxBytes }), lastAt: 0, stop: () => {} }
    jobs.set(jobId, kept)
    forgetExpired(jobId)
    dropWhereIdle(jobId, kept)
    return kept
  }

  function wake(jobId: string, what?: string): void {
    for (const listener of watchers.get(jobId) ?? []) listener(what)
  }

  function takeLease(jobId: string, kept: StoredJob, owner: string, ms: number): void {
    kept.lease ??= createLease(
      () => wake(jobId, LEASE_IS_OVER),
      (leaseMs) => onLeaseLost(jobId, kept, leaseMs)
    )
    kept.lease.take(owner, ms)
  }

  /** Ends a job whose lease has expired, or queues it again for `adopt`. */
  function onLeaseLost(jobId: string, kept: StoredJob, leaseMs: number): void {
    const { rerun } = kept
    if (!rerun || rerun.attempt >= rerun.maxAttempts || kept.job.snapshot.cancelling !== undefined)
      return void appendEvents(jobId, kept, [['failed', JSON.stringify(lostData(leaseMs))]])
    rerun.attempt += 1
    releaseLease(kept)
    appendEvents(jobId, kept, [
      ['retrying', JSON.stringify(rerunData(leaseMs, rerun.attempt))],
      ['queued', '{}']
    ])
  }

  function releaseLease(kept: StoredJob): void {
    kept.lease?.release()
    delete kept.lease
  }

  function appendEvents(jobId: string, kept: StoredJob, entries: readonly (readonly [type: string, json: string])[], name?: string): WireEvent[] {
    const events = entries.map(([type, json]) => kept.job.append(type, json, name))
    kept.lastAt = performance.now()
    if (kept.job.ended) {
      kept.lease?.release()
      delete kept.rerun
      kept.stop()
      kept.stop = after(ttlMs, () => expireJob(jobId))
    }
    wake(jobId, entries.at(-1)?.[0])
    return events
  }

  async function appendMany(jobId: string, entries: readonly Entry[], options: AppendOptions = {}): Promise<WireEvent[]> {
    checkOpen()
    const known = jobs.get(jobId)
    if (!known) checkJobId(jobId)
    const { expectSeq, appendId, lease, rerun } = options
    checkAppend(options)
    const texts = checkEntries(jobId, entries)
    const repeated = appendId === undefined ? undefined : known?.job.appended(appendId)
    if (repeated) return repeated
    const { seq: last = 0, status } = known?.job.snapshot ?? {}
    const [first] = entries
    if (expectSeq !== undefined && expectSeq !== last) throw seqConflict(jobId, first?.type, expectSeq, last)
    if (known?.job.ended) throw endedError(jobId, first?.type, status)
    if (lease && known && isHeldByAnother(known, lease.owner)) throw leaseConflict(jobId)
    if (!first) return []
    const kept = known ?? create(jobId)
    if (lease) takeLease(jobId, kept, lease.owner, lease.ms)
    if (rerun) kept.rerun = { ...rerun, attempt: 1 }
    return appendEvents(
      jobId,
      kept,
      entries.map(({ type }, index) => [type, texts[index] ?? 'null']),
      appendId
    )
  }

  return {
    appendMany,
    async append(jobId, type, data, options) {
      const [event] = await appendMany(jobId, [{ type, data }], options)
      return event as WireEvent // as: one entry gives one event
    },
    async read(jobId, after, limit) {
      return find(jobId)?.job.page(after, limit)
    },
    async snapshot(jobId) {
      return find(jobId)?.job.snapshot
    },
    async watch(jobId, wake) {
      checkOpen()
      const listener = (what?: string) => wake(what) // a new function for each call: a set would take the same function only once
      const listeners = watchers.get(jobId) ?? new Set()
      watchers.set(jobId, listeners.add(listener))
      return () => {
        listeners.delete(listener)
        if (listeners.size === 0 && watchers.get(jobId) === listeners) watchers.delete(jobId)
      }
    },
    async renew(jobId, owner, ms) {
      checkOpen()
      if (ms !== 0) checkLease(owner, ms)
      const kept = jobs.get(jobId)
      if (!kept) return !expired.has(jobId)
      if (kept.job.ended || isHeldByAnother(kept, owner)) return false
      if (ms > 0) takeLease(jobId, kept, owner, ms)
      else {
        releaseLease(kept)
        if (kept.rerun) wake(jobId, 'queued')
      }
      return true
    },
    async adopt(jobId, owner, ms) {
      checkOpen()
      checkLease(owner, ms)
      const kept = jobs.get(jobId)
      if (!kept?.rerun || kept.job.ended || (kept.lease && kept.lease.owner !== owner)) return undefined
      takeLease(jobId, kept, owner, ms)
      const { input, attempt } = kept.rerun
      return { input, attempt }
    },
    async reset(jobId) {
      checkOpen()
      checkJobId(jobId)
      dropJob(jobId)
      forgetExpired(jobId)
      wake(jobId)
    },
    async close() {
      closed = true
      for (const jobId of [...jobs.keys()]) dropJob(jobId)
      for (const jobId of [...expired.keys()]) forgetExpired(jobId)
      watchers.clear()
    }
  }
}

/** With `rerun`, a job without a lease belongs to nobody: an owner that has lost it must not take it back by `renew`, only by `adopt`. */
const isHeldByAnother = ({ lease, rerun }: StoredJob, owner: string): boolean => (lease || rerun ? lease?.owner !== owner : false)
