/** The longest delay that `setTimeout` takes: with a longer one it fires at once. */
export const MAX_TIMER_MS: number = 2 ** 31 - 1

/**
 * Calls `callback` once after `ms`, of any length; never for `Infinity`. Returns a function that cancels it. With `unref` the timer doesn't keep the process
 * alive.
 */
export function longTimeout(ms: number, callback: () => void, { unref = false }: { unref?: boolean } = {}): () => void {
  if (ms === Number.POSITIVE_INFINITY) return () => {}
  let timer: NodeJS.Timeout
  const arm = (leftMs: number) => {
    timer = setTimeout(() => (leftMs > MAX_TIMER_MS ? arm(leftMs - MAX_TIMER_MS) : callback()), Math.min(leftMs, MAX_TIMER_MS))
    if (unref) timer.unref?.() // in runtimes where a timer is a number there is no `unref`, and none is needed
  }
  arm(Math.max(0, ms))
  return () => clearTimeout(timer)
}

/** Resolves once `done` has resolved, or after `ms`. */
export async function settledWithin(done: Promise<unknown>, ms: number): Promise<void> {
  const timeout = Promise.withResolvers<void>()
  const cancel = longTimeout(ms, timeout.resolve)
  await Promise.race([done, timeout.promise])
  cancel()
}
