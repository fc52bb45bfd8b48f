/**
 * The longest time that a timer can wait, 24.8 days. Browsers and Node fire a longer one at once (WHATWG HTML §8.6: the delay is a signed
 * 32-bit integer).
 */
export const MAX_TIMER_MS: number = 2 ** 31 - 1

/** Limits a delay to what a timer can wait, 0 to 2³¹ − 1 ms. `NaN` becomes 0. */
export const clampMs = (ms: number): number => Math.min(MAX_TIMER_MS, Math.max(0, ms || 0))
