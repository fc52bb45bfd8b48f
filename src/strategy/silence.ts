/** Watches one link's silence: when it has lasted too long for a proof, is suspect, or says that the link is dead. How long that is, `policy/rhythm.ts` says. */

import { now } from '../async/clock.ts'
import { onAbort } from '../async/signals.ts'
import { TransportError } from '../errors.ts'
import { isHidden } from '../page.ts'
import { deadMs, heardAfter, rhythmOf, suspectMs } from '../policy/rhythm.ts'

/** Before its hello, a link is given what servers name as a rule. */
const DEFAULT_HEARTBEAT_MS = 15_000
/** A timer that is so late has been throttled, or the machine has slept: what has come meanwhile is yet to be heard. */
const LATE_MS = 1000

export interface Silence {
  /** The last byte; undefined until the first. */
  heardAt: number | undefined
  /** The last event, or the link's proof. */
  eventAt: number
  /** Something has come; with `isEvent`, after the proof, and not only the server's own word. */
  heard(isEvent: boolean): void
  /** The server has told how often it says something. */
  beats(heartbeatMs: number): void
  /** From now on it may be suspect. */
  listen(): void
  /** It may have died: it is suspect if it is silent right now. */
  check(): void
  /** It is dead unless it brings an event within so long. */
  challenge(ms: number): void
}

/** `controller` ends the link, and what is watched ends with it; `onSuspect` is told for how long it has brought no event. */
export function watchSilence(controller: AbortController, probeTimeoutMs: number, onSuspect: (quietMs: number) => void): Silence {
  let rhythm = rhythmOf(DEFAULT_HEARTBEAT_MS)
  /** The silence at which it is dead, and the one without an event at which it is suspect. */
  let deadAfterMs = 0
  let suspectAfterMs = 0
  /** Challenged: dead without an event by then. */
  let challengedUntil = Infinity
  /** The last byte by the wall's clock, which goes on while the machine sleeps. */
  let heardDate = 0
  /** When the timer is due. */
  let dueAt = Infinity
  let timer = expect(probeTimeoutMs)
  onAbort(controller.signal, () => clearTimeout(timer))

  /** The proof. A timer that comes late has what has come meanwhile behind it. */
  function expect(ms: number): ReturnType<typeof setTimeout> {
    const lateAt = now() + ms + LATE_MS
    return setTimeout(() => {
      if (now() > lateAt) timer = expect(LATE_MS)
      else if (silence.heardAt) controller.abort(new TransportError('mute', `opened, but delivered nothing within ${probeTimeoutMs} ms`))
      else controller.abort(new TransportError('timeout', `no answer within ${probeTimeoutMs} ms`))
    }, ms)
  }

  /** One timer that looks at the clock, instead of one anew for each frame. */
  function watch(): void {
    const at = now()
    const silentMs = at - (silence.heardAt ?? at)
    if (at > dueAt + LATE_MS || Date.now() - heardDate > silentMs + LATE_MS) {
      heardDate = Date.now() - silentMs
      deadAfterMs = Math.max(deadAfterMs, silentMs + suspectMs(rhythm, true))
      suspect()
    } else if (silentMs >= deadAfterMs || at >= challengedUntil) controller.abort(new TransportError('silent', `silent for ${Math.round(silentMs)} ms`))
    else if (at - silence.eventAt >= suspectAfterMs) suspect()
    rest()
  }

  /** Until a silence is long enough to mean something. */
  function rest(): void {
    clearTimeout(timer)
    if (controller.signal.aborted) return
    const at = now()
    dueAt = Math.max(at, Math.min((silence.heardAt ?? 0) + deadAfterMs, silence.eventAt + suspectAfterMs, challengedUntil))
    timer = setTimeout(watch, dueAt - at)
  }

  function suspect(): void {
    const quietMs = now() - silence.eventAt
    suspectAfterMs = Math.max(suspectAfterMs, 2 * quietMs)
    onSuspect(quietMs)
  }

  function listen(): void {
    silence.eventAt = now()
    challengedUntil = Infinity
    suspectAfterMs = suspectMs(rhythm, isHidden())
    // It may be due later than that.
    if (silence.eventAt + suspectAfterMs < dueAt) rest()
  }

  const silence: Silence = {
    heardAt: undefined,
    eventAt: 0,
    heard(isEvent) {
      silence.heardAt = now()
      heardDate = Date.now()
      deadAfterMs = deadMs(rhythm)
      if (!isEvent) return
      rhythm = heardAfter(rhythm, silence.heardAt - silence.eventAt)
      listen()
    },
    beats(heartbeatMs) {
      rhythm = rhythmOf(heartbeatMs)
      deadAfterMs = deadMs(rhythm)
    },
    listen,
    check() {
      if (silence.heardAt && Date.now() - heardDate > LATE_MS) suspect()
    },
    challenge(ms) {
      challengedUntil = now() + ms
      rest()
    }
  }
  return silence
}
