/** When a link's silence is out of character: pure. */

/** Dead after so many heartbeats without a byte. */
const DEAD_BEATS = 2.5
/** Without an event it is suspect after so many at the latest. */
const SUSPECT_BEATS = 1.25
/** Suspect no sooner than this: any network falters now and then. */
const MIN_SUSPECT_MS = 1000
const MAX_PATIENCE = 32

/** How events have come over a link so far. */
export interface Rhythm {
  readonly heartbeatMs: number
  /** The longest pause between two of late: what was once long is forgotten little by little. */
  readonly pauseMs: number
  /** Doubled by each suspicion that was wrong: a quiet job costs its server almost nothing. */
  readonly patience: number
}

/** Of a link of which nothing is known yet: half a heartbeat without an event is suspect, and it takes some thirty events before a second says anything. */
export const rhythmOf = (heartbeatMs: number): Rhythm => ({ heartbeatMs, pauseMs: heartbeatMs / 4, patience: 1 })

/** An event after so long. */
export const heardAfter = (rhythm: Rhythm, quietMs: number): Rhythm => ({
  ...rhythm,
  pauseMs: Math.max(quietMs, (rhythm.pauseMs * 15) / 16),
  patience: quietMs < suspectMs(rhythm, false) ? rhythm.patience : Math.min(MAX_PATIENCE, 2 * rhythm.patience)
})

/** How long without an event is suspect. In a hidden page timers are throttled, and nobody looks. */
export function suspectMs({ heartbeatMs, pauseMs, patience }: Rhythm, isHidden: boolean): number {
  const longestMs = patience * heartbeatMs * SUSPECT_BEATS
  return isHidden ? longestMs : Math.min(longestMs, Math.max(MIN_SUSPECT_MS, 2 * patience * pauseMs))
}

/** How long without a byte is a death. */
export const deadMs = ({ heartbeatMs }: Rhythm): number => heartbeatMs * DEAD_BEATS
