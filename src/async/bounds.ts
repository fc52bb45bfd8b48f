/** The longest that a timer can wait, 24.8 days: browsers and Node fire one of more at once (WHATWG HTML §8.6: the delay is a signed 32-bit integer). */
export const MAX_TIMER_MS: number = 2 ** 31 - 1

/** A time to wait, whoever named it: 0 to 2³¹ − 1 ms, and 0 for what is no number. */
export const bounded = (ms: number): number => Math.min(MAX_TIMER_MS, Math.max(0, ms || 0))
