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
  /** When the last byte came; `undefined` before the first. */
  readonly lastByteAt: number | undefined
  /** When the last event came, or the first frame where there was no event yet. */
  readonly lastEventAt: number
  /** Bytes have come. `isEvent`: there is an event among them. */
  onData(isEvent: boolean): void
  /** The server has told its heartbeat in ms; `undefined`: it promises none. */
  setHeartbeat(ms: number | undefined): void
  /** The first frame has come: from now on the link may become suspect. */
  onProof(): void
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
  /** The link has failed; called at most once. */
  onDead(error: TransportError): void
}

/** Watches one link from now on. */
export function watchLiveness({ patienceMs, onSuspect, onDead }: LivenessOptions): Liveness {
  let rhythm = INITIAL_RHYTHM
  let heartbeatMs: number | undefined = INITIAL_RHYTHM.heartbeatMs
  let lastByteAt: number | undefined
  let lastEventAt = 0
  let isProved = false
  /** How long without a byte the link is dead, and how long without an event it is suspect. */
  let deadAfterMs = Infinity
  let suspectAfterMs = Infinity
  /** The time by which an event has to come, or the link is dead. */
  let eventDueBy = Infinity
  /** When the last byte came, by the wall clock: unlike `now()` it goes on while the machine sleeps. */
  let lastByteDate = 0
  /** When the timer fires next. */
  let dueAt = now() + patienceMs
  let wasLate = false
  const timer = createLongTimer(() => (isProved ? checkSilence() : onProbeTimeout()))
  timer.set(dueAt)

  /**
   * Whether the timer fired so late that frames may still wait to be read behind it. In a hidden page every timer is late (Chrome: once a
   * minute), so there the second late one in a row counts as if it were in time.
   */
  function wasDelayed(): boolean {
    const isFirst = !wasLate || !isHidden()
    wasLate = now() > dueAt + LATE_MS
    return wasLate && isFirst
  }

  function onProbeTimeout(): void {
    if (wasDelayed()) return wakeAt(now() + LATE_MS)
    onDead(
      lastByteAt === undefined
        ? new TransportError('timeout', `no answer within ${patienceMs} ms`)
        : new TransportError('mute', `opened, but delivered nothing within ${patienceMs} ms`)
    )
  }

  /** One timer that looks at the clock, instead of a new timer for each frame. */
  function checkSilence(): void {
    const at = now()
    const silentMs = at - (lastByteAt ?? at)
    const isDue = at - lastEventAt >= suspectAfterMs
    if (wasDelayed() || Date.now() - lastByteDate > silentMs + LATE_MS) {
      lastByteDate = Date.now() - silentMs
      deadAfterMs = Math.max(deadAfterMs, silentMs + suspectMs(rhythm, true))
      if (isDue || !isHidden()) suspect()
    } else if (silentMs >= deadAfterMs || at >= eventDueBy) return onDead(new TransportError('silent', `silent for ${Math.round(silentMs)} ms`))
    else if (isDue) suspect()
    wakeAtNextLimit()
  }

  function wakeAt(at: number): void {
    dueAt = at
    timer.set(at)
  }

  /** Sets the timer to the next time at which a silence would mean something. */
  const wakeAtNextLimit = (): void => wakeAt(Math.max(now(), Math.min((lastByteAt ?? 0) + deadAfterMs, lastEventAt + suspectAfterMs, eventDueBy)))

  function suspect(): void {
    const quietMs = now() - lastEventAt
    suspectAfterMs = Math.max(suspectAfterMs, 2 * quietMs)
    onSuspect(quietMs)
  }

  function onEvent(): void {
    lastEventAt = now()
    eventDueBy = Infinity
    suspectAfterMs = suspectMs(rhythm, isHidden())
    // The timer may be set to a later time.
    if (lastEventAt + suspectAfterMs < dueAt) wakeAtNextLimit()
  }

  return {
    get lastByteAt() {
      return lastByteAt
    },
    get lastEventAt() {
      return lastEventAt
    },
    onData(isEvent) {
      lastByteAt = now()
      lastByteDate = Date.now()
      if (!isProved) return
      deadAfterMs = rhythm.deadMs
      if (!isEvent) return
      rhythm = afterEvent(rhythm, lastByteAt - lastEventAt)
      onEvent()
    },
    setHeartbeat(ms) {
      // Each answer of a poll has a `hello`.
      if (ms === heartbeatMs) return
      heartbeatMs = ms
      rhythm = rhythmOf(ms)
      deadAfterMs = rhythm.deadMs
    },
    onProof() {
      isProved = true
      deadAfterMs = rhythm.deadMs
      dueAt = Infinity
      onEvent()
    },
    check() {
      if (lastByteAt !== undefined && Date.now() - lastByteDate > LATE_MS) suspect()
    },
    requireEventWithin(ms) {
      eventDueBy = now() + ms
      wakeAtNextLimit()
    },
    stop: () => timer.set(Infinity)
  }
}
