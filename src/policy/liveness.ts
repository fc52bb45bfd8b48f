/** When a link's silence is out of character: pure. */

/** Before its hello, and where a backend promises none, a link is judged as if it had this heartbeat. */
const DEFAULT_HEARTBEAT_MS = 15_000
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
  /** How long without a byte is a death: Infinity where no heartbeat is promised, since then silence proves nothing. */
  readonly deadMs: number
  /** The longest pause between two events of late: what was once long is forgotten little by little. */
  readonly pauseMs: number
  /** Doubled by each suspicion that was wrong: a quiet job costs its server almost nothing. */
  readonly patience: number
}

/** Of a link of which nothing is known yet: half a heartbeat without an event is suspect, and it takes some thirty events before a second says anything. */
export function rhythmOf(promisedMs: number | undefined): Rhythm {
  const heartbeatMs = promisedMs ?? DEFAULT_HEARTBEAT_MS
  return { heartbeatMs, deadMs: (promisedMs ?? Infinity) * DEAD_BEATS, pauseMs: heartbeatMs / 4, patience: 1 }
}

/** The rhythm before a server has told its own. */
export const INITIAL_RHYTHM: Rhythm = rhythmOf(DEFAULT_HEARTBEAT_MS)

/** After an event that came so long after the one before it. */
export const afterEvent = (rhythm: Rhythm, quietMs: number): Rhythm => ({
  ...rhythm,
  pauseMs: Math.max(quietMs, (rhythm.pauseMs * 15) / 16),
  patience: quietMs < suspectMs(rhythm, false) ? rhythm.patience : Math.min(MAX_PATIENCE, 2 * rhythm.patience)
})

/** How long without an event is suspect. In a hidden page timers are throttled, and nobody looks. */
export function suspectMs({ heartbeatMs, pauseMs, patience }: Rhythm, isHidden: boolean): number {
  const longestMs = patience * heartbeatMs * SUSPECT_BEATS
  return isHidden ? longestMs : Math.min(longestMs, Math.max(MIN_SUSPECT_MS, 2 * patience * pauseMs))
}
