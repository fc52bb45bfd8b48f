/** A timer for any length of time: `setTimeout` fires at once where the delay does not fit a signed 32-bit integer. */

import { clampMs } from './bounds.ts'
import { now } from './clock.ts'

export interface LongTimer {
  /** Sets the time at which it fires, in ms since 1970, in place of the one before. `Infinity`: never. */
  set(at: number): void
}

/** Makes a timer that can be set again and again. It calls back once for each time set, never before that time. */
export function createLongTimer(callback: () => void): LongTimer {
  let timer: ReturnType<typeof setTimeout> | undefined
  let dueAt = Infinity

  function arm(): void {
    clearTimeout(timer)
    if (dueAt < Infinity) timer = setTimeout(ring, clampMs(dueAt - now()))
  }

  function ring(): void {
    if (now() < dueAt) return arm()
    dueAt = Infinity
    callback()
  }

  return {
    set(at) {
      if (at === dueAt) return
      dueAt = at
      arm()
    }
  }
}
