import { graceOf } from './types.ts'

/** The lease of one job: who runs it, and until when nobody else may. */
export interface Lease {
  readonly owner: string
  readonly ms: number
  /** Gives the lease to `owner` for `ms` from now, or renews it. */
  take(owner: string, ms: number): void
  release(): void
}

/**
 * Makes a lease that expires by itself. Calls `onExpired` once it has expired, and `onLost` where it was not renewed within a grace (`graceOf`) after that.
 * Measured by `performance.now()`, which stands still while the machine sleeps. Where the process was blocked, `onExpired` comes late, and the grace begins
 * then.
 */
export function createLease(onExpired: () => void, onLost: (ms: number) => void): Lease {
  let owner = ''
  let ms = 0
  let expiresAt = 0
  let isWarned = false
  let timer: NodeJS.Timeout | undefined

  function setTimer(): void {
    timer ??= setTimeout(onTimer, Math.max(1, expiresAt - performance.now()))
    timer.unref?.() // in runtimes where a timer is a number there is no `unref`, and none is needed
  }

  function onTimer(): void {
    timer = undefined
    if (performance.now() < expiresAt) return setTimer() // the lease was renewed since the timer was set
    if (isWarned) return onLost(ms)
    isWarned = true
    expiresAt = performance.now() + graceOf(ms)
    setTimer()
    onExpired()
  }

  return {
    get owner() {
      return owner
    },
    get ms() {
      return ms
    },
    take(by, forMs) {
      const isSooner = performance.now() + forMs < expiresAt
      owner = by
      ms = forMs
      expiresAt = performance.now() + forMs
      isWarned = false
      if (isSooner) {
        clearTimeout(timer)
        timer = undefined
      }
      setTimer()
    },
    release() {
      clearTimeout(timer)
      timer = undefined
    }
  }
}
