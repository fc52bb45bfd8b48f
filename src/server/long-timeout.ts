export const MAX_TIMER_MS: number = 2 ** 31 - 1

/** Calls once after `ms`, which may be longer than a timer can be; never for Infinity. `unref`: it keeps no process alive. Returns how to stop it. */
export function longTimeout(ms: number, ring: () => void, { unref = false }: { unref?: boolean } = {}): () => void {
  if (ms === Number.POSITIVE_INFINITY) return () => {}
  let timer: NodeJS.Timeout
  const set = (left: number) => {
    timer = setTimeout(() => (left > MAX_TIMER_MS ? set(left - MAX_TIMER_MS) : ring()), Math.min(left, MAX_TIMER_MS))
    if (unref) timer.unref?.() // where timers are numbers, they keep nothing alive
  }
  set(Math.max(0, ms))
  return () => clearTimeout(timer)
}
