export const MAX_TIMER_MS: number = 2 ** 31 - 1

/** Calls once after `ms`, which may be longer than a timer can be; never for Infinity. Returns how to stop it. */
export function alarm(ms: number, ring: () => void): () => void {
  if (ms === Number.POSITIVE_INFINITY) return () => {}
  let timer: NodeJS.Timeout
  const set = (left: number) => {
    timer = setTimeout(() => (left > MAX_TIMER_MS ? set(left - MAX_TIMER_MS) : ring()), Math.min(left, MAX_TIMER_MS))
  }
  set(Math.max(0, ms))
  return () => clearTimeout(timer)
}
