import { vi } from 'vitest'
import { memoryLog } from '../../src/server/log/memory.ts'
import { type EventLog, LogError } from '../../src/server/log/types.ts'

export interface Gate {
  log: EventLog
  /** Resolves once somebody listens to the job. */
  watched(job: string): Promise<void>
  /** How many listeners there are. */
  watching(): number
  /** How often the log was read. */
  reads(): number
  /** How many events were handed out. */
  eventsRead(): number
  /** From now on nobody is woken. */
  loseWakeUps(): void
  /** Reads fail with it; `undefined`: no more. */
  failWith(error: Error | undefined): void
  historyGone: Error
  /** Everything is refused as by a log that is out of reach; returns how to end that, which wakes those who listen. */
  outage(): () => void
  /** Called when somebody asks to listen, before they are heard. */
  onWatch(listener: (job: string) => unknown): void
  /** Called after each read, before its page is handed out. */
  onRead(listener: () => unknown): void
  /** Puts another log in the place of this one. */
  replace(other: EventLog): void
}

/** A memory log that can be looked at and made to fail. */
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
