/**
 * Watches one link's silence. It reports when no first frame came in time, when the link is suspect, and when it is dead.
 * `policy/liveness.ts` says how long these silences are.
 */

import { now } from '../async/clock.ts'
import { createLongTimer } from '../async/long-timer.ts'
import { TransportError } from '../errors.ts'
import { isHidden } from '../page.ts'
import { afterEvent, INITIAL_RHYTHM, rhythmOf, suspectMs } from '../policy/liveness.ts'

/** A timer that fires this late was throttled, or the machine has slept: frames that came meanwhile may still wait to be read. */
const LATE_MS = 1000

/** Watches one link. Times are in ms since 1970. */
export interface Liveness {
  /** Since when it is watched. */
  readonly startedAt: number
  /** When the last byte came; `undefined` before the first. */
  readonly lastByteAt: number | undefined
  /** When the last event came, or the first frame where there was no event yet; 0 before that. */
  readonly lastEventAt: number
  /** Bytes have come: `isEvent`, with an event among them; `isProof`, with the first frame. From that one on the link may become suspect. */
  onData(isEvent: boolean, isProof: boolean): void
  /** The server has told its heartbeat in ms; `undefined`: it promises none. */
  setHeartbeat(ms: number | undefined): void
  /** Something happened that may have killed the link: it is suspect if it is silent right now. */
  check(): void
  /** The link is dead unless it brings an event within `ms`. */
  requireEventWithin(ms: number): void
  /** Stops the timer. */
  stop(): void
}

/** What a link is watched with. */
export interface LivenessOptions {
  /** How long the link has to deliver its first frame, in ms. */
  patienceMs: number
  /** The link has brought no event for `quietMs`, which is longer than usual. */
  onSuspect(quietMs: number): void
  /** The link has failed. */
  onDead(error: TransportError): void
}

/** Watches one link from now on. */
export function watchLiveness({ patienceMs, onSuspect, onDead }: LivenessOptions): Liveness {
  const startedAt = now()
  let lastByteAt: number | undefined
  let lastEventAt = 0
  let rhythm = INITIAL_RHYTHM
  /** How long without a byte the link is dead, and how long without an event it is suspect. */
  let deadAfterMs = Infinity
  let suspectAfterMs = Infinity
  /** The time by which the first frame has to come, or an event that is required; otherwise the link is dead. */
  let eventDueBy = startedAt + patienceMs
  /** When the last byte came, by the wall clock: unlike `now()` it goes on while the machine sleeps. */
  let lastByteDate = Date.now()
  /** When the timer fires next. */
  let dueAt: number
  let wasLate = false
  /** One timer that looks at the clock, instead of a new timer for each frame. */
  const timer = createLongTimer(checkSilence)

  /**
   * Whether the timer fired so late that frames may still wait to be read behind it. In a hidden page every timer is late (Chrome: once a
   * minute), so there the second late one in a row counts as if it were in time.
   */
  function wasDelayed(): boolean {
    const isFirst = !wasLate || !isHidden()
    wasLate = now() > dueAt + LATE_MS
    return wasLate && isFirst
  }

  function checkSilence(): void {
    const at = now()
    const silentMs = at - (lastByteAt ?? startedAt)
    const isDue = at - lastEventAt >= suspectAfterMs
    if (wasDelayed() || Date.now() - lastByteDate > silentMs + LATE_MS) {
      lastByteDate = Date.now() - silentMs
      deadAfterMs = Math.max(deadAfterMs, silentMs + suspectMs(rhythm, true))
      if (!lastEventAt) eventDueBy = at + LATE_MS
      else if (isDue || !isHidden()) suspect()
    } else if (silentMs >= deadAfterMs || at >= eventDueBy) {
      if (lastEventAt) onDead(new TransportError('silent', `silent for ${Math.round(silentMs)} ms`))
      else if (lastByteAt) onDead(new TransportError('mute', `opened, but delivered nothing within ${patienceMs} ms`))
      else onDead(new TransportError('timeout', `no answer within ${patienceMs} ms`))
      return
    } else if (isDue) suspect()
    wake()
  }

  /** Sets the timer to the next time at which a silence would mean something. */
  function wake(): void {
    dueAt = Math.max(now(), Math.min((lastByteAt ?? 0) + deadAfterMs, lastEventAt + suspectAfterMs, eventDueBy))
    timer.set(dueAt)
  }

  function suspect(): void {
    const quietMs = now() - lastEventAt
    suspectAfterMs = Math.max(suspectAfterMs, 2 * quietMs)
    onSuspect(quietMs)
  }

  wake()
  return {
    startedAt,
    get lastByteAt() {
      return lastByteAt
    },
    get lastEventAt() {
      return lastEventAt
    },
    onData(isEvent, isProof) {
      const at = now()
      lastByteAt = at
      lastByteDate = Date.now()
      if (!lastEventAt && !isProof) return
      deadAfterMs = rhythm.deadMs
      if (!isEvent && !isProof) return
      if (!isProof) rhythm = afterEvent(rhythm, at - lastEventAt)
      lastEventAt = at
      eventDueBy = Infinity
      suspectAfterMs = suspectMs(rhythm, isHidden())
      // The timer may be set to a later time; and at the proof to one that means nothing any more.
      if (isProof || at + suspectAfterMs < dueAt) wake()
    },
    setHeartbeat(ms) {
      const told = rhythmOf(ms)
      // Each answer of a poll has a `hello`, which changes nothing.
      if (told.deadMs !== rhythm.deadMs) rhythm = told
    },
    check() {
      if (lastByteAt && Date.now() - lastByteDate > LATE_MS) suspect()
    },
    requireEventWithin(ms) {
      eventDueBy = now() + ms
      wake()
    },
    stop: () => timer.set(Infinity)
  }
}
