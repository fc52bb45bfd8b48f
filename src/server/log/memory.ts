import type { WireEvent } from '../../protocol/frames.ts'
import { checkAppend, checkEntries, checkJobId, checkLease, lostData, rerunData, show } from './entry.ts'
import { closedError, endedError, leaseConflict, seqConflict } from './log-errors.ts'
import { createLease } from './memory-lease.ts'
import { type MemoryLogOptions, memorySettings } from './memory-options.ts'
import { createMemoryStore, type StoredJob } from './memory-store.ts'
import { markPrivate, namedLog } from './process-wide.ts'
import { type AppendOptions, type Entry, type EventLog, LEASE_IS_OVER } from './types.ts'

/**
 * Keeps events in this process' memory: they are gone with the process, and no other process sees them. Each job's events are bounded, and so is what all jobs
 * that have ended take together.
 *
 * @throws {RangeError} or `TypeError` for an option out of range; the message names it.
 */
export function memoryLog({ name, ...options }: MemoryLogOptions = {}): EventLog {
  if (name === undefined) return markPrivate(createMemoryLog(options))
  if (typeof name !== 'string' || name === '') throw new TypeError(`name: expected a non-empty string, got ${show(name)}`)
  return namedLog(name, () => createMemoryLog(options))
}

function createMemoryLog(options: MemoryLogOptions): EventLog {
  const store = createMemoryStore(memorySettings(options))
  const watchers = new Map<string, Set<(what?: string) => void>>()
  let closed = false

  function checkOpen(): void {
    if (closed) throw closedError()
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
      store.keepEnded(jobId, kept)
    }
    wake(jobId, entries.at(-1)?.[0])
    return events
  }

  async function appendMany(jobId: string, entries: readonly Entry[], options: AppendOptions = {}): Promise<WireEvent[]> {
    checkOpen()
    const known = store.get(jobId)
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
    const kept = known ?? store.create(jobId)
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
      checkOpen()
      return store.find(jobId)?.job.page(after, limit)
    },
    async snapshot(jobId) {
      checkOpen()
      return store.find(jobId)?.job.snapshot
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
      const kept = store.get(jobId)
      if (!kept) return !store.isGone(jobId)
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
      const kept = store.get(jobId)
      if (!kept?.rerun || kept.job.ended || (kept.lease && kept.lease.owner !== owner)) return undefined
      takeLease(jobId, kept, owner, ms)
      const { input, attempt } = kept.rerun
      return { input, attempt }
    },
    async reset(jobId) {
      checkOpen()
      checkJobId(jobId)
      store.delete(jobId)
      wake(jobId)
    },
    async close() {
      closed = true
      store.clear()
      watchers.clear()
    }
  }
}

/** With `rerun`, a job without a lease belongs to nobody: an owner that has lost it must not take it back by `renew`, only by `adopt`. */
const isHeldByAnother = ({ lease, rerun }: StoredJob, owner: string): boolean => (lease || rerun ? lease?.owner !== owner : false)
