/** Timers that no number can overflow. */

import { now } from './clock.ts'

/** Browsers and Node fire a timer of more than this at once (HTML §8.6: the delay is a signed 32-bit integer). */
export const MAX_TIMER_MS: number = 2 ** 31 - 1

/** A time to wait, whoever named it: 0 to 2³¹ − 1 ms, and 0 for what is no number. */
export const bounded = (ms: number): number => Math.min(MAX_TIMER_MS, Math.max(0, ms || 0))

export interface Alarm {
  /** Due at that time, in ms since 1970, in place of what was set before; Infinity: never. */
  set(at: number): void
}

/** One timer, set anew as often as one likes. Calls back no sooner than it was set to, however far off that is. */
export function createAlarm(callback: () => void): Alarm {
  let timer: ReturnType<typeof setTimeout> | undefined
  let dueAt = Infinity

  function arm(): void {
    clearTimeout(timer)
    if (dueAt < Infinity) timer = setTimeout(ring, bounded(dueAt - now()))
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
