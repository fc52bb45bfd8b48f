/** Watches one link's silence: when it has lasted too long for a proof, is suspect, or says that the link is dead. How long that is, `policy/liveness.ts` says. */

import { now } from '../async/clock.ts'
import { createLongTimer } from '../async/long-timer.ts'
import { TransportError } from '../errors.ts'
import { isHidden } from '../page.ts'
import { afterEvent, INITIAL_RHYTHM, rhythmOf, suspectMs } from '../policy/liveness.ts'

/** A timer that is so late has been throttled, or the machine has slept: what has come meanwhile is yet to be read. */
const LATE_MS = 1000

export interface Liveness {
  /** The last byte; undefined until the first. */
  readonly heardAt: number | undefined
  /** The last event, or the link's proof. */
  readonly eventAt: number
  /** Something has come; with `isEvent`, after the proof, and not only the server's own word. */
  onData(isEvent: boolean): void
  /** The server has told how often it says something; undefined: it promises nothing. */
  setHeartbeat(ms: number | undefined): void
  /** It has proved itself: from now on it may be suspect. */
  onProof(): void
  /** It may have died: it is suspect if it is silent right now. */
  check(): void
  /** It is dead unless it brings an event within so long. */
  requireEventWithin(ms: number): void
  stop(): void
}

export interface LivenessOptions {
  /** Without a first frame by then it has failed. */
  patienceMs: number
  /** It has brought no event for so long, out of character. */
  onSuspect(quietMs: number): void
  onDead(error: TransportError): void
}

export function watchLiveness({ patienceMs, onSuspect, onDead }: LivenessOptions): Liveness {
  let rhythm = INITIAL_RHYTHM
  let promisedMs: number | undefined = INITIAL_RHYTHM.heartbeatMs
  let heardAt: number | undefined
  let eventAt = 0
  let isProved = false
  /** The silence at which it is dead, and the one without an event at which it is suspect. */
  let deadAfterMs = Infinity
  let suspectAfterMs = Infinity
  /** Dead without an event by then. */
  let requiredBy = Infinity
  /** The last byte by the wall's clock, which goes on while the machine sleeps. */
  let heardDate = 0
  /** When it is looked at next. */
  let dueAt = now() + patienceMs
  let wasLate = false
  const alarm = createLongTimer(() => (isProved ? watch() : prove()))
  alarm.set(dueAt)

  /** A timer that comes late has what has come meanwhile behind it. In a hidden page all are late (Chrome: once a minute): there the second in a row counts. */
  function isTooLate(): boolean {
    const isFirst = !wasLate || !isHidden()
    wasLate = now() > dueAt + LATE_MS
    return wasLate && isFirst
  }

  function prove(): void {
    if (isTooLate()) return wakeAt(now() + LATE_MS)
    onDead(
      heardAt === undefined
        ? new TransportError('timeout', `no answer within ${patienceMs} ms`)
        : new TransportError('mute', `opened, but delivered nothing within ${patienceMs} ms`)
    )
  }

  /** One timer that looks at the clock, instead of one anew for each frame. */
  function watch(): void {
    const at = now()
    const silentMs = at - (heardAt ?? at)
    const isDue = at - eventAt >= suspectAfterMs
    if (isTooLate() || Date.now() - heardDate > silentMs + LATE_MS) {
      heardDate = Date.now() - silentMs
      deadAfterMs = Math.max(deadAfterMs, silentMs + suspectMs(rhythm, true))
      if (isDue || !isHidden()) suspect()
    } else if (silentMs >= deadAfterMs || at >= requiredBy) return onDead(new TransportError('silent', `silent for ${Math.round(silentMs)} ms`))
    else if (isDue) suspect()
    rest()
  }

  function wakeAt(at: number): void {
    dueAt = at
    alarm.set(at)
  }

  /** Until a silence is long enough to mean something. */
  const rest = (): void => wakeAt(Math.max(now(), Math.min((heardAt ?? 0) + deadAfterMs, eventAt + suspectAfterMs, requiredBy)))

  function suspect(): void {
    const quietMs = now() - eventAt
    suspectAfterMs = Math.max(suspectAfterMs, 2 * quietMs)
    onSuspect(quietMs)
  }

  function onEvent(): void {
    eventAt = now()
    requiredBy = Infinity
    suspectAfterMs = suspectMs(rhythm, isHidden())
    // It may be due later than that.
    if (eventAt + suspectAfterMs < dueAt) rest()
  }

  return {
    get heardAt() {
      return heardAt
    },
    get eventAt() {
      return eventAt
    },
    onData(isEvent) {
      heardAt = now()
      heardDate = Date.now()
      if (!isProved) return
      deadAfterMs = rhythm.deadMs
      if (!isEvent) return
      rhythm = afterEvent(rhythm, heardAt - eventAt)
      onEvent()
    },
    setHeartbeat(ms) {
      // A poll is told again with each answer.
      if (ms === promisedMs) return
      promisedMs = ms
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
      if (heardAt !== undefined && Date.now() - heardDate > LATE_MS) suspect()
    },
    requireEventWithin(ms) {
      requiredBy = now() + ms
      rest()
    },
    stop: () => alarm.set(Infinity)
  }
}
