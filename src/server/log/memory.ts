import { randomBytes } from 'node:crypto'
import type { JobSnapshot, WireEvent } from '../../protocol/frames.ts'
import { isTerminal } from '../../protocol/rules.ts'
import { MAX_TIMER_MS } from '../alarm.ts'
import { createEvent } from '../encode.ts'
import { checkEntry, checkJobId, snapshotAfter } from './entry.ts'
import type { EventLog, LogPage } from './types.ts'
import { LogError } from './types.ts'

export interface MemoryLogOptions {
  /** Events retained per job, the latest ones. Default 10,000. */
  maxEvents?: number
  /** How long a job is kept after its end. Default an hour. */
  ttlMs?: number
}

interface Job {
  /** A ring: the event of `seq` is at `(seq - 1) % maxEvents`. */
  events: WireEvent[]
  snapshot: JobSnapshot
  ended: boolean
}

/** A log in this process: gone with it, and not shared with others. Jobs that never end are kept for ever. */
export function memoryLog({ maxEvents = 10_000, ttlMs = 3_600_000 }: MemoryLogOptions = {}): EventLog {
  if (!Number.isSafeInteger(maxEvents) || maxEvents < 1) throw new RangeError(`maxEvents: expected an integer from 1, got ${maxEvents}`)
  if (!(ttlMs >= 0)) throw new RangeError(`ttlMs: expected milliseconds from 0, got ${ttlMs}`)
  const jobs = new Map<string, Job>()
  const watchers = new Map<string, Set<() => void>>()
  /** Jobs dropped at their expiry, told apart from unknown ones for as long again. */
  const expired = new Set<string>()
  const timers = new Set<NodeJS.Timeout>()
  let closed = false

  function later(run: () => void, leftMs = ttlMs): void {
    if (ttlMs === Number.POSITIVE_INFINITY) return
    const timer = setTimeout(
      () => {
        timers.delete(timer)
        if (leftMs > MAX_TIMER_MS) later(run, leftMs - MAX_TIMER_MS)
        else run()
      },
      Math.min(leftMs, MAX_TIMER_MS)
    )
    timer.unref()
    timers.add(timer)
  }

  function expire(jobId: string): void {
    jobs.delete(jobId)
    expired.add(jobId)
    later(() => expired.delete(jobId))
  }

  function checkOpen(): void {
    if (closed) throw new LogError('closed', 'the log is closed')
  }

  function find(jobId: string): Job | undefined {
    checkOpen()
    const job = jobs.get(jobId)
    if (!job && expired.has(jobId)) throw new LogError('history-gone', `job ${JSON.stringify(jobId)} and its log are gone: it ended more than ${ttlMs} ms ago`)
    return job
  }

  async function append(jobId: string, type: string, data: unknown, { expectSeq }: { expectSeq?: number } = {}): Promise<WireEvent> {
    checkOpen()
    const known = jobs.get(jobId)
    if (!known) checkJobId(jobId)
    const json = checkEntry(jobId, type, data)
    const job = known ?? newJob(jobId)
    const { seq: last, epoch, status } = job.snapshot
    if (expectSeq !== undefined && expectSeq !== last)
      throw new LogError('conflict', `job ${JSON.stringify(jobId)}: expected ${expectSeq} events before "${type}", found ${last}`)
    if (job.ended) throw new LogError('ended', `job ${JSON.stringify(jobId)} has ended with "${status}": "${type}" cannot be appended`)

    const seq = last + 1
    const event = createEvent(`${epoch}-${seq}`, seq, jobId, type, timeNow(), json)
    job.events[(seq - 1) % maxEvents] = event
    job.snapshot = snapshotAfter(job.snapshot, event)
    if (!known) {
      jobs.set(jobId, job)
      expired.delete(jobId)
    }
    if (isTerminal(type)) {
      job.ended = true
      later(() => expire(jobId))
    }
    for (const wake of watchers.get(jobId) ?? []) wake()
    return event
  }

  function page({ events, snapshot: { epoch, seq: last }, ended }: Job, after: string | undefined, limit: number): LogPage {
    const beforeOldest = Math.max(0, last - maxEvents)
    const asked = after?.startsWith(`${epoch}-`) ? Number(after.slice(epoch.length + 1)) : Number.NaN
    const known = asked >= beforeOldest && asked <= last && after === `${epoch}-${asked}`
    const seq = known ? asked : beforeOldest
    const end = Math.min(last, seq + limit)
    const found: WireEvent[] = []
    for (let index = seq; index < end; index += 1) found.push(events[index % maxEvents] as WireEvent) // as: the ring holds all of beforeOldest + 1 to last
    return { events: found, epoch, seq, cursor: `${epoch}-${seq}`, done: ended && end === last, more: end < last }
  }

  return {
    append,
    async read(jobId, after, limit) {
      const job = find(jobId)
      return job && page(job, after, limit)
    },
    async snapshot(jobId) {
      return find(jobId)?.snapshot
    },
    async watch(jobId, wake) {
      checkOpen()
      const listener = () => wake() // one of its own, so that the same function may watch twice
      const listeners = watchers.get(jobId) ?? new Set()
      watchers.set(jobId, listeners.add(listener))
      return () => {
        listeners.delete(listener)
        if (listeners.size === 0 && watchers.get(jobId) === listeners) watchers.delete(jobId)
      }
    },
    async close() {
      closed = true
      for (const timer of timers) clearTimeout(timer)
      timers.clear()
      jobs.clear()
      expired.clear()
      watchers.clear()
    }
  }
}

/** Many events have one millisecond. */
function timeNow(): string {
  const ms = Date.now()
  if (ms !== now.ms) now = { ms, text: new Date(ms).toISOString() }
  return now.text
}
let now = { ms: 0, text: '' }

/** An empty log under an epoch of its own, so that cursors of an earlier log of this name are foreign to it. */
function newJob(id: string): Job {
  const epoch = `${Date.now().toString(36)}${randomBytes(3).toString('hex')}`
  return { events: [], snapshot: { id, status: 'queued', epoch, seq: 0, cursor: `${epoch}-0` }, ended: false }
}
