/** When events arrived. A thousand a second are one tick in each 25 ms, and one in 250 ms once there are too many. */

const FINE_MS = 25
const COARSE_MS = 250
/** More than ten minutes of coarse ticks. */
const KEPT = 4000

export interface Ticks {
  /** Times in ms since 1970, rounded down, oldest first. */
  readonly byLane: ReadonlyMap<string, readonly number[]>
  add(lane: string, at: number): void
}

export function createTicks(): Ticks {
  const byLane = new Map<string, number[]>()

  return {
    byLane,
    add(lane, at) {
      const rounded = roundDown(at, FINE_MS)
      const times = byLane.get(lane) ?? []
      if (times.at(-1) === rounded) return
      times.push(rounded)
      byLane.set(lane, times.length > KEPT ? thinned(times) : times)
    }
  }
}

const roundDown = (at: number, toMs: number): number => Math.floor(at / toMs) * toMs

/** Coarse ticks, at most three quarters of what is kept: then the next thinning is far enough away. */
const thinned = (times: readonly number[]): number[] => [...new Set(times.map((at) => roundDown(at, COARSE_MS)))].slice(-KEPT * 0.75)
