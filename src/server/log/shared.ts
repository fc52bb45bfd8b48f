import { isTerminal } from '../../protocol/rules.ts'
import { MAX_TIMER_MS } from '../long-timeout.ts'
import { nextTurn } from '../platform.ts'
import { type EventLog, LEASE_IS_OVER, type LogPage } from './types.ts'
import { wrapLog } from './wrap.ts'

/** A reader of a job that wants to be woken. */
export interface Watcher {
  /** Called where reading may bring something new. `page` has the new events, where they were read for all watchers of the job. */
  wake(page?: LogPage): void
}

/**
 * A log as the readers of one server share it. Each job is watched once for all of its readers. What is appended is read once, and handed to all readers that
 * have had everything before it; the others read for themselves.
 */
export interface SharedLog extends EventLog {
  /** Resolves once the watcher is woken by appends. */
  addWatcher(jobId: string, watcher: Watcher): Promise<void>
  /** Works also before `addWatcher` has resolved. */
  removeWatcher(jobId: string, watcher: Watcher): void
  /** Resolves once the watchers of every job that has ended have read the end, or have gone. Never rejects. */
  endsRead(): Promise<void>
}

/** Added to the time left of a lease, so that it has expired by the log's clock too when the job is read. */
const LEASE_MARGIN_MS = 20

/** How many events one shared read takes at most. */
const MAX_PAGE = 100

/** The shared read position at the end of one job's log. */
interface Tail {
  readonly watchers: Set<Watcher>
  /** Resolves once the log wakes this tail, with a function that stops. */
  readonly watching: Promise<() => void>
  /** Schedules a read for when the job's lease has expired, in `leaseMs`: that read ends the job. */
  readAfterLease(leaseMs: number | undefined): void
  /** Resolves once no watcher is left. */
  readonly left: PromiseWithResolvers<void>
  stop(): void
}

/** Reads each watched job every `recheckMs` too, in case a wake-up was lost (PROTOCOL.md §8.2). */
export function sharedLog(log: EventLog, recheckMs: number): SharedLog {
  const tails = new Map<string, Tail>()

  function createTail(jobId: string): Tail {
    const watchers = new Set<Watcher>()
    /** Where the next page begins. Unknown at first, and after a failed read. */
    let cursor: string | undefined
    let needsRead = false
    let isReading = false
    let leaseTimer: NodeJS.Timeout | undefined

    function notifyWatchers(page?: LogPage): void {
      for (const watcher of watchers) watcher.wake(page)
    }

    /** Reads what was appended since `cursor`, and wakes the watchers. A single watcher reads for itself, at its own pace. */
    async function read(): Promise<void> {
      if (watchers.size === 1) {
        cursor = undefined
        return notifyWatchers()
      }
      const page = cursor === undefined ? undefined : await log.read(jobId, cursor, MAX_PAGE)
      if (page) readAfterLease(page.leaseMs)
      if (page && page.cursor === cursor) {
        cursor = page.events.at(-1)?.id ?? cursor
        needsRead ||= page.more
        if (page.events.length > 0) notifyWatchers(page)
      } else {
        cursor = (await log.snapshot(jobId))?.cursor
        notifyWatchers() // only once the cursor is known: events appended before that would be handed to nobody
      }
    }

    function wake(): void {
      needsRead = true
      if (!isReading) void readLoop()
    }

    async function readLoop(): Promise<void> {
      isReading = true
      while (needsRead && watchers.size > 0) {
        needsRead = false
        try {
          await read()
        } catch {
          cursor = undefined
          notifyWatchers() // each watcher reads for itself, and gets the error
        }
        await nextTurn() // events appended in quick succession then make one page
      }
      isReading = false
    }

    function readAfterLease(leaseMs: number | undefined): void {
      clearTimeout(leaseTimer)
      leaseTimer = undefined
      if (leaseMs !== undefined && leaseMs < recheckMs && watchers.size > 0) leaseTimer = setTimeout(wake, Math.min(leaseMs + LEASE_MARGIN_MS, MAX_TIMER_MS))
    }

    const onWakeUp = (what?: string) => {
      if (what !== LEASE_IS_OVER) wake() // an expired lease appended nothing, and its owner may still renew it
    }
    const check = setInterval(wake, recheckMs)
    const stop = () => {
      clearInterval(check)
      readAfterLease(undefined)
    }
    return { watchers, watching: log.watch(jobId, onWakeUp), readAfterLease, left: Promise.withResolvers(), stop }
  }

  function removeWatcher(jobId: string, watcher: Watcher): void {
    const tail = tails.get(jobId)
    if (!tail?.watchers.delete(watcher) || tail.watchers.size > 0) return
    tails.delete(jobId)
    tail.stop()
    tail.left.resolve()
    tail.watching.then(
      (stop) => stop(),
      () => {} // `addWatcher` has rejected with this
    )
  }

  return {
    ...wrapLog(log, {
      async read(jobId, ...asked) {
        const page = await log.read(jobId, ...asked)
        tails.get(jobId)?.readAfterLease(page?.leaseMs)
        return page
      }
    }),
    async addWatcher(jobId, watcher) {
      const tail = tails.get(jobId) ?? createTail(jobId)
      tails.set(jobId, tail)
      tail.watchers.add(watcher)
      try {
        await tail.watching
      } catch (error) {
        removeWatcher(jobId, watcher)
        throw error
      }
    },
    removeWatcher,
    async endsRead() {
      const ended = [...tails].map(async ([jobId, { left }]) => {
        const found = await log.snapshot(jobId)
        if (found && isTerminal(found.status)) await left.promise
      })
      await Promise.allSettled(ended) // where the log can't be reached, its readers can't read the end either
    }
  }
}
