/** When a link's silence is out of character: pure. */

/** Dead after so many heartbeats without a byte, */
const DEAD_BEATS = 2.5
/** suspect after so many, whatever its rhythm. */
const SUSPECT_BEATS = 1.25
/** Suspect no sooner than this: any network falters now and then. */
const MIN_SUSPECT_MS = 1000

const MAX_PATIENCE = 64

/** How a link has been heard so far. */
export interface Rhythm {
  readonly heartbeatMs: number
  /** The longest pause between two deliveries of late: what was once long is forgotten little by little. */
  readonly pauseMs: number
  /** Out of character is so many times that. */
  readonly patience: number
}

/** Of a link of which nothing is known yet: it has to be heard some fifty times before a second's silence says anything. */
export const rhythmOf = (heartbeatMs: number): Rhythm => ({ heartbeatMs, pauseMs: heartbeatMs, patience: 2 })

/** Heard again after so long. A suspicion that was wrong makes the next one slower. */
export const heardAfter = (rhythm: Rhythm, silentMs: number): Rhythm => ({
  ...rhythm,
  pauseMs: Math.max(silentMs, (rhythm.pauseMs * 15) / 16),
  patience: silentMs < suspectMs(rhythm, false) ? rhythm.patience : Math.min(MAX_PATIENCE, 2 * rhythm.patience)
})

/** The silence at which it is suspect. In a hidden page timers are throttled, and nobody looks. */
export function suspectMs({ heartbeatMs, pauseMs, patience }: Rhythm, isHidden: boolean): number {
  const longestMs = heartbeatMs * SUSPECT_BEATS
  return isHidden ? longestMs : Math.min(longestMs, Math.max(MIN_SUSPECT_MS, patience * pauseMs))
}

/** The silence at which it is dead. */
export const deadMs = ({ heartbeatMs }: Rhythm): number => heartbeatMs * DEAD_BEATS
