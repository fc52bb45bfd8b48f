/** Browsers and Node fire a timer of more than this at once (HTML §8.6: the delay is a signed 32-bit integer). */
export const MAX_TIMER_MS: number = 2 ** 31 - 1

/** A time to wait, whoever named it: 0 to 2³¹ − 1 ms, and 0 for what is no number. */
export const bounded = (ms: number): number => Math.min(MAX_TIMER_MS, Math.max(0, ms || 0))
