import { graceOf } from './types.ts'

/** Who says that he works at a job, until when. */
export interface Lease {
  readonly owner: string
  readonly ms: number
  /** Now somebody else's, or renewed. */
  take(owner: string, ms: number): void
  release(): void
}

/**
 * A lease that ends by itself: `warn` is called when it is over, `lose` where it has not been renewed `graceOf` it later. By a clock that stands still while
 * the machine sleeps; where the process was held up, the warning comes late, and the grace begins with it.
 */
export function createLease(warn: () => void, lose: (ms: number) => void): Lease {
  let owner = ''
  let ms = 0
  let until = 0
  let isWarned = false
  let timer: NodeJS.Timeout | undefined

  function watch(): void {
    timer ??= setTimeout(look, Math.max(1, until - performance.now()))
    timer.unref?.() // where timers are numbers, they keep nothing alive
  }

  function look(): void {
    timer = undefined
    if (performance.now() < until) return watch() // renewed meanwhile
    if (isWarned) return lose(ms)
    isWarned = true
    until = performance.now() + graceOf(ms)
    watch()
    warn()
  }

  return {
    get owner() {
      return owner
    },
    get ms() {
      return ms
    },
    take(by, forMs) {
      const isSooner = performance.now() + forMs < until
      owner = by
      ms = forMs
      until = performance.now() + forMs
      isWarned = false
      if (isSooner) {
        clearTimeout(timer)
        timer = undefined
      }
      watch()
    },
    release() {
      clearTimeout(timer)
      timer = undefined
    }
  }
}
