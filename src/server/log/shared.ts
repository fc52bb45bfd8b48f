import { MAX_TIMER_MS } from '../long-timeout.ts'
import { nextTurn } from '../platform.ts'
import { type EventLog, LEASE_IS_OVER, type LogPage } from './types.ts'
import { wrapLog } from './wrap.ts'

export interface Listener {
  /** Called where reading may be worth while; with what was appended, where that has been read for all. */
  wake(page?: LogPage): void
}

/** A log as the readers of one server share it: a job is listened to once for all of them, and what is appended is read once for all who are at its end. */
export interface SharedLog extends EventLog {
  /** Resolves once listening is active. */
  listen(jobId: string, listener: Listener): Promise<void>
  /** Also while `listen` is under way. */
  unlisten(jobId: string, listener: Listener): void
  /** Resolves once every listener has been told of what the log has announced so far. */
  settled(): Promise<void>
}

/** After a lease is over by this process' clock it is over by the log's as well. */
const LATE_MS = 20

/** Events that are read at once for all. */
const MAX_PAGE = 100

interface Tail {
  readonly listeners: Set<Listener>
  /** Resolves once listening is active, with how to stop. */
  readonly listening: Promise<() => void>
  /** The job's lease is over in so many ms: whoever reads it then ends it. */
  lookIn(leaseMs: number | undefined): void
  /** Resolves once its listeners have been told of what was announced. */
  settled(): Promise<void>
  stop(): void
}

/** Each job that is listened to is read every `checkMs` as well, in case a wake-up was lost (PROTOCOL.md §8.2). */
export function sharedLog(log: EventLog, checkMs: number): SharedLog {
  const tails = new Map<string, Tail>()

  function createTail(jobId: string): Tail {
    const listeners = new Set<Listener>()
    /** Where the next page begins; unknown at first, and where the log was out of reach. */
    let cursor: string | undefined
    let isAppended = false
    let isReading = false
    let reading = Promise.resolve()
    let look: NodeJS.Timeout | undefined

    function tell(page?: LogPage): void {
      for (const listener of listeners) listener.wake(page)
    }

    /** What is behind the cursor, if that is still a place in the log. Who is alone reads for itself, at its own pace. */
    async function read(): Promise<void> {
      if (listeners.size === 1) {
        cursor = undefined
        return tell()
      }
      const page = cursor === undefined ? undefined : await log.read(jobId, cursor, MAX_PAGE)
      if (page) lookIn(page.leaseMs)
      if (page && page.cursor === cursor) {
        cursor = page.events.at(-1)?.id ?? cursor
        isAppended ||= page.more
        if (page.events.length > 0) tell(page)
      } else {
        cursor = (await log.snapshot(jobId))?.cursor
        tell() // not before the cursor is known: what is appended in between would be told to nobody
      }
    }

    function wake(): void {
      isAppended = true
      if (!isReading) reading = readOn()
    }

    async function readOn(): Promise<void> {
      isReading = true
      while (isAppended && listeners.size > 0) {
        isAppended = false
        try {
          await read()
        } catch {
          cursor = undefined
          tell() // each finds out for itself
        }
        await nextTurn() // what is appended in quick succession is one page
      }
      isReading = false
    }

    function lookIn(leaseMs: number | undefined): void {
      clearTimeout(look)
      look = undefined
      if (leaseMs !== undefined && leaseMs < checkMs && listeners.size > 0) look = setTimeout(wake, Math.min(leaseMs + LATE_MS, MAX_TIMER_MS))
    }

    const hear = (what?: string) => {
      if (what !== LEASE_IS_OVER) wake() // nothing was appended, and its owner may still renew it
    }
    const check = setInterval(wake, checkMs)
    const stop = () => {
      clearInterval(check)
      lookIn(undefined)
    }
    return { listeners, listening: log.watch(jobId, hear), lookIn, settled: () => reading, stop }
  }

  function unlisten(jobId: string, listener: Listener): void {
    const tail = tails.get(jobId)
    if (!tail?.listeners.delete(listener) || tail.listeners.size > 0) return
    tails.delete(jobId)
    tail.stop()
    tail.listening.then(
      (stop) => stop(),
      () => {} // told to whoever listened
    )
  }

  return {
    ...wrapLog(log, {
      async read(jobId, ...asked) {
        const page = await log.read(jobId, ...asked)
        tails.get(jobId)?.lookIn(page?.leaseMs)
        return page
      }
    }),
    async listen(jobId, listener) {
      const tail = tails.get(jobId) ?? createTail(jobId)
      tails.set(jobId, tail)
      tail.listeners.add(listener)
      try {
        await tail.listening
      } catch (error) {
        unlisten(jobId, listener)
        throw error
      }
    },
    unlisten,
    async settled() {
      await Promise.all([...tails.values()].map((tail) => tail.settled()))
    }
  }
}
