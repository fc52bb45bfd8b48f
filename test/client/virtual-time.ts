/** Fake timers, with the tasks in between that they don't fake. */

import { vi } from 'vitest'
import { macrotask } from '../../src/async/clock.ts'

const STEP_MS = 5

/** Lets everything that is due happen, and what follows from it. */
export async function settle(): Promise<void> {
  for (let round = 0; round < 4; round += 1) await macrotask()
}

/** Lets that much virtual time pass, in steps: what a task sets up is due within it as well. */
export async function elapse(ms: number): Promise<void> {
  await settle()
  for (let left = ms; left > 0; left -= STEP_MS) {
    await vi.advanceTimersByTimeAsync(Math.min(STEP_MS, left))
    await settle()
  }
}

/** The same for long spans, where 250 ms more or less don't matter. */
export async function elapseRoughly(ms: number): Promise<void> {
  for (let left = ms; left > 0; left -= 250) {
    await vi.advanceTimersByTimeAsync(Math.min(250, left))
    await settle()
  }
}

let isOfNetwork = false

/** A timer of the network's or the server's: no page throttles it. */
export function networkTimer(act: () => void, ms: number): ReturnType<typeof setTimeout> {
  isOfNetwork = true
  try {
    return setTimeout(act, ms)
  } finally {
    isOfNetwork = false
  }
}

/** From now on the timers of a page that is hidden fire at whole multiples of `everyMs` only, as Chrome's do once it has been hidden for five minutes. */
export function throttleTimers(everyMs: number, isHidden: () => boolean): void {
  const { setTimeout: set } = globalThis
  const throttled = (act: () => void, ms = 0): ReturnType<typeof setTimeout> => {
    const dueAt = performance.now() + ms
    return set(act, isOfNetwork || !isHidden() ? ms : Math.ceil(dueAt / everyMs) * everyMs - performance.now())
  }
  vi.spyOn(globalThis, 'setTimeout').mockImplementation(throttled as typeof setTimeout) // as: the client passes no more than these two
}
