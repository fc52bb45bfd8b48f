/** Pauses before another try. Pure: chance is an argument. */

import type { RetryOptions } from '../types.ts'

/** Full jitter: anything between nothing and `baseMs` doubled `failures` times, at most `maxMs`. */
export const backoffMs = (failures: number, { baseMs, maxMs }: Required<RetryOptions>, random: () => number): number =>
  random() * Math.min(maxMs, baseMs * 2 ** Math.min(failures, 30))
