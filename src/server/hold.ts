import { delay } from '../async/signals.ts'
import { isTerminal } from '../protocol/rules.ts'
import { type EventLog, isLogError, LEASE_IS_OVER } from './log/types.ts'

export interface Holding {
  log: EventLog
  jobId: string
  owner: string
  leaseMs: number
  /** How often the job is looked at without a wake-up, in case one was lost. */
  checkMs: number
  /** Told once: somebody has asked for a cancel, with its data. */
  onCancel(data: object): void
  /** Told once: the job has ended without us, or is somebody else's. */
  onLost(): void
  onError(error: unknown): void
}

export interface Hold {
  /** Its end is being appended: a cancel, or an end, is no news any more. The lease is still renewed. */
  end(): void
  release(): void
}

/** How long to wait where a log that is out of reach says nothing of it. */
export const RETRY_MS = 500

/** Keeps a job's lease, and watches for its cancel or its loss: by wake-ups, of which only those count that don't tell of what we append ourselves. */
export function holdJob(holding: Holding): Hold {
  const { log, jobId, owner, leaseMs, checkMs, onError } = holding
  const over = new AbortController()
  const { signal } = over
  let isEnding = false
  const renew = once(async () => {
    if (!(await log.renew(jobId, owner, leaseMs))) tell({ lost: true })
  })
  const look = once(async () => {
    const snapshot = await log.snapshot(jobId)
    if (snapshot && isTerminal(snapshot.status)) tell({ lost: true })
    else if (snapshot?.cancelling !== undefined) tell({ cancelling: Object(snapshot.cancelling) })
  })

  function tell(found: { lost: true } | { cancelling: object }): void {
    if (signal.aborted || isEnding) return
    if ('lost' in found) holding.onLost()
    else holding.onCancel(found.cancelling)
  }

  function hear(what?: string): void {
    if (what === undefined || what === LEASE_IS_OVER || what === 'queued') renew() // queued again: it is lost
    if (isEnding) return
    if (what === undefined || what === 'cancelling' || isTerminal(what)) look()
  }

  async function watch(): Promise<void> {
    while (!signal.aborted) {
      try {
        const stop = await log.watch(jobId, hear)
        if (signal.aborted) stop()
        else signal.addEventListener('abort', stop, { once: true })
        return look() // what came before it was heard
      } catch (error) {
        if (isLogError(error, 'closed')) return
        onError(error)
        await delay(RETRY_MS, signal).catch(() => {}) // over: the loop ends
      }
    }
  }

  /** What is asked for while it is under way is done once more after it; where the log is out of reach, until it is back. */
  function once(act: () => Promise<void>): () => void {
    let wanted = 0
    async function doAll(): Promise<void> {
      while (wanted > 0 && !signal.aborted) {
        const done = wanted
        try {
          await act()
          wanted -= done
        } catch (error) {
          if (isLogError(error, 'closed')) return
          if (!signal.aborted) onError(error)
          await delay(Math.min(RETRY_MS, leaseMs / 6), signal).catch(() => {}) // over: the loop ends
        }
      }
    }
    return () => {
      wanted += 1
      if (wanted === 1) void doAll()
    }
  }

  const timers = [setInterval(renew, leaseMs / 3), setInterval(look, checkMs)]
  void watch()
  return {
    end() {
      isEnding = true
    },
    release() {
      over.abort()
      for (const timer of timers) clearInterval(timer)
    }
  }
}
