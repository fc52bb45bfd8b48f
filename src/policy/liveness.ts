/** When a link's silence is longer than usual. Pure. */

/** The heartbeat that is assumed before `hello`, and for a backend that promises none. */
const DEFAULT_HEARTBEAT_MS = 15_000
/** A link is dead after this many heartbeats without a byte. */
const DEAD_BEATS = 2.5
/** A link is suspect after this many heartbeats without an event, at the latest. */
const SUSPECT_BEATS = 1.25
/** A link is never suspect sooner than this: every network stalls now and then. */
const MIN_SUSPECT_MS = 1000
/** How many times longer a silence may become through wrong suspicions. */
const MAX_PATIENCE = 32

/** How often a link has brought events so far. */
export interface Rhythm {
  /** The server's heartbeat, or the assumed one. */
  readonly heartbeatMs: number
  /** After how long without a byte the link is dead. `Infinity` where no heartbeat is promised: silence then proves nothing. */
  readonly deadMs: number
  /** The longest recent pause between two events. A long one is forgotten gradually, by a sixteenth with each event. */
  readonly pauseMs: number
  /** A factor of the silence that is allowed. Each wrong suspicion doubles it, so that a job with few events costs its server few single reads. */
  readonly patience: number
}

/** The rhythm of a new link: half a heartbeat without an event makes it suspect. After some thirty events a pause of a second does. */
export function rhythmOf(promisedMs: number | undefined): Rhythm {
  const heartbeatMs = promisedMs ?? DEFAULT_HEARTBEAT_MS
  return { heartbeatMs, deadMs: (promisedMs ?? Infinity) * DEAD_BEATS, pauseMs: heartbeatMs / 4, patience: 1 }
}

/** The rhythm before `hello` has told the server's heartbeat. */
export const INITIAL_RHYTHM: Rhythm = rhythmOf(DEFAULT_HEARTBEAT_MS)

/** The rhythm after an event that came `quietMs` after the one before it. */
export const afterEvent = (rhythm: Rhythm, quietMs: number): Rhythm => ({
  ...rhythm,
  pauseMs: Math.max(quietMs, (rhythm.pauseMs * 15) / 16),
  patience: quietMs < suspectMs(rhythm, false) ? rhythm.patience : Math.min(MAX_PATIENCE, 2 * rhythm.patience)
})

/** After how long without an event a link is suspect. In a hidden page it is the longest time: timers are throttled, and nobody looks. */
export function suspectMs({ heartbeatMs, pauseMs, patience }: Rhythm, isHidden: boolean): number {
  const longestMs = patience * heartbeatMs * SUSPECT_BEATS
  return isHidden ? longestMs : Math.min(longestMs, Math.max(MIN_SUSPECT_MS, 2 * patience * pauseMs))
}
