import { vi } from 'vitest'
import { memoryLog } from '../../src/server/log/memory.ts'
import { type EventLog, LogError } from '../../src/server/log/types.ts'

export interface Gate {
  log: EventLog
  /** Resolves once the job is watched. */
  watched(job: string): Promise<void>
  /** How many watchers there are. */
  watching(): number
  /** How many reads there were. */
  reads(): number
  /** How many events the reads returned. */
  eventsRead(): number
  /** From now on no watcher is woken. */
  loseWakeUps(): void
  /** Makes reads reject with this error; `undefined` ends that. */
  failWith(error: Error | undefined): void
  historyGone: Error
  /** Makes the log unavailable. Returns a function that makes it available again and wakes the watchers. */
  outage(): () => void
  /** Called at each `watch`, before it is active. */
  onWatch(listener: (job: string) => unknown): void
  /** Called after each read, before its page is returned. */
  onRead(listener: () => unknown): void
  /** Replaces the log by another one. */
  replace(other: EventLog): void
}

/** A memory log whose calls a test can observe, and make fail. */
export function createGate(options: { maxEvents?: number } = {}): Gate {
  let inner = memoryLog(options)
  let failure: Error | undefined
  let away = false
  let lossy = false
  let listeners = 0
  let reads = 0
  let eventsRead = 0
  let onWatch: (job: string) => unknown = () => {}
  let onRead: () => unknown = () => {}
  const watchers = new Map<string, Set<(what?: string) => void>>()

  function check(): void {
    checkReach()
    if (failure) throw failure
  }

  function checkReach(): void {
    if (away) throw new LogError('unavailable', 'Redis has been away for 5000 ms: connect ECONNREFUSED')
  }

  const log: EventLog = {
    async append(jobId, ...rest) {
      checkReach()
      const event = await inner.append(jobId, ...rest)
      if (!lossy) for (const wake of watchers.get(jobId) ?? []) wake(event.type)
      return event
    },
    async read(...args) {
      reads += 1
      check()
      const page = await inner.read(...args)
      await onRead()
      eventsRead += page?.events.length ?? 0
      return page
    },
    async snapshot(jobId) {
      check()
      return inner.snapshot(jobId)
    },
    async watch(jobId, wake) {
      checkReach()
      const own = (what?: string) => wake(what)
      await onWatch(jobId)
      listeners += 1
      watchers.set(jobId, (watchers.get(jobId) ?? new Set()).add(own))
      let stopped = false
      return () => {
        if (stopped) return
        stopped = true
        listeners -= 1
        watchers.get(jobId)?.delete(own)
      }
    },
    async renew(...args) {
      checkReach()
      return inner.renew(...args)
    },
    reset: (jobId) => inner.reset(jobId),
    close: () => inner.close()
  }

  return {
    log,
    watched: (job) =>
      vi.waitFor(() => {
        if (!watchers.get(job)?.size) throw new Error(`nobody listens to ${job}`)
      }),
    watching: () => listeners,
    reads: () => reads,
    eventsRead: () => eventsRead,
    loseWakeUps() {
      lossy = true
    },
    failWith(error) {
      failure = error
    },
    historyGone: new LogError('history-gone', 'gone'),
    outage() {
      away = true
      return () => {
        away = false
        for (const wakes of watchers.values()) for (const wake of wakes) wake()
      }
    },
    onWatch(listener) {
      onWatch = listener
    },
    onRead(listener) {
      onRead = listener
    },
    replace(other) {
      inner = other
    }
  }
}
