import type { WireEvent } from '../../protocol/frames.ts'
import { isTerminal } from '../../protocol/rules.ts'
import { longTimeout } from '../long-timeout.ts'
import { checkAppend, checkEntry, checkJobId, checkLease, lostData, rerunData, show } from './entry.ts'
import { createMemoryJob, type MemoryJob } from './memory-job.ts'
import { createLease, type Lease } from './memory-lease.ts'
import { type MemoryLogOptions, memorySettings } from './memory-options.ts'
import { markAlone, namedLog } from './process-wide.ts'
import { type Adopted, type AppendOptions, type Entry, type EventLog, LEASE_IS_OVER, LogError } from './types.ts'

interface Kept {
  readonly job: MemoryJob
  lease?: Lease
  /** It is run again where its lease is over; this is its attempt so far. */
  rerun?: Adopted & { readonly maxAttempts: number }
  /** When the last event came, by a clock that doesn't jump. */
  lastAt: number
  /** Stops what would drop it. */
  stop(): void
}

/** A log in this process: gone with it, and not shared with others. */
export function memoryLog({ name, ...options }: MemoryLogOptions = {}): EventLog {
  if (name === undefined) return markAlone(createMemoryLog(options))
  if (typeof name !== 'string' || name === '') throw new TypeError(`name: expected a text that is not empty, got ${show(name)}`)
  return namedLog(name, () => createMemoryLog(options))
}

function createMemoryLog(options: MemoryLogOptions): EventLog {
  const { maxEvents, maxBytes, ttlMs, idleTtlMs } = memorySettings(options)
  const jobs = new Map<string, Kept>()
  const watchers = new Map<string, Set<(what?: string) => void>>()
  /** Jobs dropped at their expiry, told apart from unknown ones for as long again; with how to stop that. */
  const expired = new Map<string, () => void>()
  let closed = false

  const later = (ms: number, run: () => void): (() => void) => longTimeout(ms, run, { unref: true })

  function drop(jobId: string): void {
    const kept = jobs.get(jobId)
    kept?.stop()
    kept?.lease?.release()
    jobs.delete(jobId)
  }

  function expire(jobId: string): void {
    drop(jobId)
    expired.set(
      jobId,
      later(ttlMs, () => expired.delete(jobId))
    )
  }

  function forget(jobId: string): void {
    expired.get(jobId)?.()
    expired.delete(jobId)
  }

  /** One timer for each job, however many events it has. */
  function dropWhereIdle(jobId: string, kept: Kept, ms = idleTtlMs): void {
    kept.stop = later(ms, () => {
      const leftMs = kept.lease ? idleTtlMs : kept.lastAt + idleTtlMs - performance.now()
      if (leftMs > 0) dropWhereIdle(jobId, kept, leftMs)
      else expire(jobId)
    })
  }

  function checkOpen(): void {
    if (closed) throw new LogError('closed', 'the log is closed')
  }

  function find(jobId: string): Kept | undefined {
    checkOpen()
    const job = jobs.get(jobId)
    if (!job && expired.has(jobId)) throw new LogError('history-gone', `job ${JSON.stringify(jobId)} and its log are gone: it ended more than ${ttlMs} ms ago`)
    return job
  }

  function create(jobId: string): Kept {
    const kept: Kept = { job: createMemoryJob(jobId, { maxEvents, maxBytes }), lastAt: 0, stop: () => {} }
    jobs.set(jobId, kept)
    forget(jobId)
    dropWhereIdle(jobId, kept)
    return kept
  }

  function wake(jobId: string, what?: string): void {
    for (const listener of watchers.get(jobId) ?? []) listener(what)
  }

  function take(jobId: string, kept: Kept, owner: string, ms: number): void {
    kept.lease ??= createLease(
      () => wake(jobId, LEASE_IS_OVER),
      (leaseMs) => lose(jobId, kept, leaseMs)
    )
    kept.lease.take(owner, ms)
  }

  /** Ends the job, or leaves it to whoever adopts it. */
  function lose(jobId: string, kept: Kept, leaseMs: number): void {
    const { rerun } = kept
    if (!rerun || rerun.attempt >= rerun.maxAttempts || kept.job.snapshot.cancelling !== undefined)
      return void put(jobId, kept, [['failed', JSON.stringify(lostData(leaseMs))]])
    rerun.attempt += 1
    giveUp(kept)
    put(jobId, kept, [
      ['retrying', JSON.stringify(rerunData(leaseMs, rerun.attempt))],
      ['queued', '{}']
    ])
  }

  function giveUp(kept: Kept): void {
    kept.lease?.release()
    delete kept.lease
  }

  function put(jobId: string, kept: Kept, entries: readonly (readonly [type: string, json: string])[], name?: string): WireEvent[] {
    const events = entries.map(([type, json]) => kept.job.append(type, json, name))
    kept.lastAt = performance.now()
    if (kept.job.ended) {
      kept.lease?.release()
      delete kept.rerun
      kept.stop()
      kept.stop = later(ttlMs, () => expire(jobId))
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
    const texts = entries.map(({ type, data }) => [type, checkEntry(jobId, type, data)] as const)
    const early = entries.findIndex(({ type }) => isTerminal(type))
    if (early >= 0 && early < entries.length - 1)
      throw new TypeError(`entries: expected "${entries[early]?.type}" last, got ${entries.length - 1 - early} after it`)
    const repeated = appendId === undefined ? undefined : known?.job.appended(appendId)
    if (repeated) return repeated
    const { seq: last = 0, status } = known?.job.snapshot ?? {}
    const [first] = entries
    if (expectSeq !== undefined && expectSeq !== last)
      throw new LogError('conflict', `job ${JSON.stringify(jobId)}: expected ${expectSeq} events before "${first?.type}", found ${last}`)
    if (known?.job.ended) throw new LogError('ended', `job ${JSON.stringify(jobId)} has ended with "${status}": "${first?.type}" cannot be appended`)
    if (lease && known && isAnothers(known, lease.owner)) throw heldByAnother(jobId)
    if (!first) return []
    const kept = known ?? create(jobId)
    if (lease) take(jobId, kept, lease.owner, lease.ms)
    if (rerun) kept.rerun = { ...rerun, attempt: 1 }
    return put(jobId, kept, texts, appendId)
  }

  return {
    appendMany,
    async append(jobId, type, data, options) {
      const [event] = await appendMany(jobId, [{ type, data }], options)
      return event as WireEvent // as: one for one
    },
    async read(jobId, after, limit) {
      return find(jobId)?.job.page(after, limit)
    },
    async snapshot(jobId) {
      return find(jobId)?.job.snapshot
    },
    async watch(jobId, wake) {
      checkOpen()
      const listener = (what?: string) => wake(what) // one of its own, so that the same function may watch twice
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
      if (kept.job.ended || isAnothers(kept, owner)) return false
      if (ms > 0) take(jobId, kept, owner, ms)
      else {
        giveUp(kept)
        if (kept.rerun) wake(jobId, 'queued')
      }
      return true
    },
    async adopt(jobId, owner, ms) {
      checkOpen()
      checkLease(owner, ms)
      const kept = jobs.get(jobId)
      if (!kept?.rerun || kept.job.ended || (kept.lease && kept.lease.owner !== owner)) return undefined
      take(jobId, kept, owner, ms)
      const { input, attempt } = kept.rerun
      return { input, attempt }
    },
    async reset(jobId) {
      checkOpen()
      checkJobId(jobId)
      drop(jobId)
      forget(jobId)
      wake(jobId)
    },
    async close() {
      closed = true
      for (const jobId of [...jobs.keys()]) drop(jobId)
      for (const jobId of [...expired.keys()]) forget(jobId)
      watchers.clear()
    }
  }
}

/** An owner who has lost a job that is run again doesn't get it back by asking for it. */
const isAnothers = ({ lease, rerun }: Kept, owner: string): boolean => (lease || rerun ? lease?.owner !== owner : false)
const heldByAnother = (jobId: string): LogError => new LogError('conflict', `job ${JSON.stringify(jobId)}: another owner has its lease`)
