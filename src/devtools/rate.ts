/** Counts what happens a second, over the last whole seconds. */
export interface Rate {
  /** `at`: in ms, by a clock that does not go back. */
  add(at: number): void
  /** How many a second, up to now. */
  perSecond(now: number): number
}

/** Over how many seconds. The one that has begun is counted apart. */
const SECONDS = 3
const SLOTS = SECONDS + 1

export function createRate(): Rate {
  const counts = new Array<number>(SLOTS).fill(0)
  let last = 0

  /** Empties the slots of the seconds since the last call. */
  function advance(now: number): void {
    const second = Math.floor(now / 1000)
    for (let passed = Math.max(last + 1, second - SECONDS); passed <= second; passed++) counts[passed % SLOTS] = 0
    last = Math.max(last, second)
  }

  return {
    add(at) {
      advance(at)
      const slot = last % SLOTS
      counts[slot] = (counts[slot] ?? 0) + 1
    },
    perSecond(now) {
      advance(now)
      return counts.reduce((sum, count, slot) => (slot === last % SLOTS ? sum : sum + count), 0) / SECONDS
    }
  }
}
