/** Fake timers, with real tasks in between, which the fake timers don't control. */

import { vi } from 'vitest'
import { macrotask } from '../../src/async/clock.ts'

const STEP_MS = 5

/** Runs everything that is due, and what follows from it. */
export async function settle(): Promise<void> {
  for (let round = 0; round < 4; round += 1) await macrotask()
}

/** Lets so many ms of virtual time pass, in steps, so that timers set by a task fire within that time too. */
export async function elapse(ms: number): Promise<void> {
  await settle()
  for (let left = ms; left > 0; left -= STEP_MS) {
    await vi.advanceTimersByTimeAsync(Math.min(STEP_MS, left))
    await settle()
  }
}

/** The same for long spans, in steps of 250 ms. */
export async function elapseRoughly(ms: number): Promise<void> {
  for (let left = ms; left > 0; left -= 250) {
    await vi.advanceTimersByTimeAsync(Math.min(250, left))
    await settle()
  }
}

let isOfNetwork = false

/** A timer of the network or the server. Hidden pages don't throttle these. */
export function networkTimer(act: () => void, ms: number): ReturnType<typeof setTimeout> {
  isOfNetwork = true
  try {
    return setTimeout(act, ms)
  } finally {
    isOfNetwork = false
  }
}

/** From now on, while the page is hidden, its timers fire only at whole multiples of `everyMs`. Chrome does so after five minutes. */
export function throttleTimers(everyMs: number, isHidden: () => boolean): void {
  const { setTimeout: set } = globalThis
  const throttled = (act: () => void, ms = 0): ReturnType<typeof setTimeout> => {
    const dueAt = performance.now() + ms
    return set(act, isOfNetwork || !isHidden() ? ms : Math.ceil(dueAt / everyMs) * everyMs - performance.now())
  }
  vi.spyOn(globalThis, 'setTimeout').mockImplementation(throttled as typeof setTimeout) // as: the client passes no more than these two
}
