/** How long to wait before another try, and for an answer. Pure: chance is an argument. */

import type { RetryOptions } from '../types.ts'

/** No answer is waited for longer than this. */
const MAX_PATIENCE_MS = 60_000

/** Full jitter: anything between nothing and `baseMs` doubled `failures` times, at most `maxMs`. */
export const backoffMs = (failures: number, { baseMs, maxMs }: Required<RetryOptions>, random: () => number): number =>
  random() * Math.min(maxMs, baseMs * 2 ** Math.min(failures, 30))

/**
 * How long a first frame is waited for: `probeTimeoutMs`, doubled with each fruitless race up to a minute, so that a path which is slow but works gets through;
 * and no less than what was needed here before.
 */
export function patienceMs(failures: number, probeTimeoutMs: number, latencyMs: number | undefined): number {
  const grownMs = Math.max(probeTimeoutMs * 2 ** Math.min(failures, 10), latencyMs === undefined ? 0 : 2 * latencyMs + 1000)
  return Math.max(probeTimeoutMs, Math.min(MAX_PATIENCE_MS, grownMs))
}
