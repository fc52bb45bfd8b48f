/** A timer that no number can overflow. */

import { bounded } from './bounds.ts'
import { now } from './clock.ts'

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
