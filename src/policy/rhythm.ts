/** When a link's silence is out of character: pure. */

/** Dead after so many heartbeats without a byte, */
const DEAD_BEATS = 2.5
/** suspect after so many, whatever its rhythm. */
const SUSPECT_BEATS = 1.25
/** Suspect no sooner than this: any network falters now and then. */
const MIN_SUSPECT_MS = 1000

/** How a link has been heard so far. */
export interface Rhythm {
  readonly heartbeatMs: number
  /** The longest pause between two deliveries of late. */
  readonly pauseMs: number
}

/** Of a link of which nothing is known yet: it has to be heard some forty times before its own pauses count. */
export const rhythmOf = (heartbeatMs: number): Rhythm => ({ heartbeatMs, pauseMs: heartbeatMs / 2 })

/** Heard again after so long. What was once long is forgotten little by little. */
export const pauseAfter = ({ pauseMs }: Rhythm, silentMs: number): number => Math.max(silentMs, (pauseMs * 15) / 16)

/** The silence at which it is suspect. In a hidden page timers are throttled, and nobody looks. */
export function suspectMs({ heartbeatMs, pauseMs }: Rhythm, isHidden: boolean): number {
  const longestMs = heartbeatMs * SUSPECT_BEATS
  return isHidden ? longestMs : Math.min(longestMs, Math.max(MIN_SUSPECT_MS, 2 * pauseMs))
}

/** The silence at which it is dead. */
export const deadMs = ({ heartbeatMs }: Rhythm): number => heartbeatMs * DEAD_BEATS
