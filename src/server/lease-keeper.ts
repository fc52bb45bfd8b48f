import { delay } from '../async/signals.ts'
import { isTerminal } from '../protocol/rules.ts'
import { type EventLog, isLogError, LEASE_IS_OVER } from './log/types.ts'

export interface LeaseKeeperOptions {
  log: EventLog
  jobId: string
  owner: string
  leaseMs: number
  /** How often the snapshot is read without a wake-up, in case one was lost. */
  recheckMs: number
  /** Called where the job has a `cancelling` event, with its data. */
  onCancel(data: object): void
  /** Called where somebody else has ended the job, or holds its lease. */
  onLost(): void
  onError(error: unknown): void
}

export interface LeaseKeeper {
  /** To be called before the terminal event is appended: from now on neither `onCancel` nor `onLost` is called. The lease is still renewed. */
  ignoreChanges(): void
  /** Stops all timers and watches. Doesn't release the lease: the terminal event has ended it. */
  release(): void
}

/** The pause before another attempt while the log is unavailable. */
export const RETRY_MS = 500

/**
 * Renews the lease of a running job each third of `leaseMs`, and notices a cancel or the loss of the lease. Wake-ups for the job's own events, such as
 * `progress`, are ignored, so that they cost no request.
 */
export function keepLease(options: LeaseKeeperOptions): LeaseKeeper {
  const { log, jobId, owner, leaseMs, recheckMs, onError } = options
  const released = new AbortController()
  const { signal } = released
  let isIgnoringChanges = false
  const renew = coalesce(async () => {
    if (!(await log.renew(jobId, owner, leaseMs))) notify({ lost: true })
  })
  const checkSnapshot = coalesce(async () => {
    const snapshot = await log.snapshot(jobId)
    if (snapshot && isTerminal(snapshot.status)) notify({ lost: true })
    else if (snapshot?.cancelling !== undefined) notify({ cancelling: Object(snapshot.cancelling) })
  })

  function notify(found: { lost: true } | { cancelling: object }): void {
    if (signal.aborted || isIgnoringChanges) return
    if ('lost' in found) options.onLost()
    else options.onCancel(found.cancelling)
  }

  function onWakeUp(what?: string): void {
    if (what === undefined || what === LEASE_IS_OVER || what === 'queued') renew() // `queued`: the job was queued again, so that the lease is lost
    if (isIgnoringChanges) return
    if (what === undefined || what === 'cancelling' || isTerminal(what)) checkSnapshot()
  }

  async function watch(): Promise<void> {
    while (!signal.aborted) {
      try {
        const stop = await log.watch(jobId, onWakeUp)
        if (signal.aborted) stop()
        else signal.addEventListener('abort', stop, { once: true })
        return checkSnapshot() // what was appended before the watch was active
      } catch (error) {
        if (isLogError(error, 'closed')) return
        onError(error)
        await delay(RETRY_MS, signal).catch(() => {}) // aborted: the loop ends
      }
    }
  }

  /** Runs `action` one at a time. Calls during a run are one more run after it. A run that fails is repeated until it succeeds. */
  function coalesce(action: () => Promise<void>): () => void {
    let pendingCalls = 0
    async function runPending(): Promise<void> {
      while (pendingCalls > 0 && !signal.aborted) {
        const done = pendingCalls
        try {
          await action()
          pendingCalls -= done
        } catch (error) {
          if (isLogError(error, 'closed')) return
          if (!signal.aborted) onError(error)
          await delay(Math.min(RETRY_MS, leaseMs / 6), signal).catch(() => {}) // aborted: the loop ends
        }
      }
    }
    return () => {
      pendingCalls += 1
      if (pendingCalls === 1) void runPending()
    }
  }

  const timers = [setInterval(renew, leaseMs / 3), setInterval(checkSnapshot, recheckMs)]
  void watch()
  return {
    ignoreChanges() {
      isIgnoringChanges = true
    },
    release() {
      released.abort()
      for (const timer of timers) clearInterval(timer)
    }
  }
}
