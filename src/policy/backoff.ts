/** How long to pause before another try, and how long to wait for an answer. Pure: chance is an argument. */

import type { RetryOptions } from '../types.ts'

/** The first frame is waited for no longer than this, unless `probeTimeoutMs` itself is longer. */
const MAX_PATIENCE_MS = 60_000

/** A random pause from 0 to `baseMs`, doubled `failures` times, up to `maxMs` (full jitter). */
export const backoffMs = (failures: number, { baseMs, maxMs }: Required<RetryOptions>, random: () => number): number =>
  random() * Math.min(maxMs, baseMs * 2 ** failures)

/**
 * How long a transport has to deliver its first frame: `probeTimeoutMs`, doubled with each race in a row that delivered nothing, up to a
 * minute. So a path that is slow but works gets through in the end. `latencyMs` is what the last winner needed; its path gets at least
 * twice that, and a second.
 */
export function patienceMs(failures: number, probeTimeoutMs: number, latencyMs: number | undefined): number {
  const grownMs = Math.max(probeTimeoutMs * 2 ** failures, latencyMs === undefined ? 0 : 2 * latencyMs + 1000)
  return Math.max(probeTimeoutMs, Math.min(MAX_PATIENCE_MS, grownMs))
}
