/** Runs one link from its first pull to its end: proof, liveness, what ended it. Knows no job. */

import { macrotask, now } from '../async/clock.ts'
import { orAborted } from '../async/signals.ts'
import { messageOf, TransportError } from '../errors.ts'
import { isHidden } from '../page.ts'
import { deadMs, heardAfter, rhythmOf, suspectMs } from '../policy/rhythm.ts'
import { type Frame, isControl } from '../protocol/frames.ts'
import { PROTOCOL } from '../protocol/rules.ts'
import type { Link } from '../types.ts'

/** Before its hello, a link is given what servers name as a rule. */
const DEFAULT_HEARTBEAT_MS = 15_000
/** A timer that is so late has been throttled, or the machine has slept: what has come meanwhile is yet to be heard. */
const LATE_MS = 1000

export interface RunningLink {
  readonly transport: string
  readonly startedAt: number
  /** The last byte; undefined until the first. */
  heardAt: number | undefined
  /** The first frame that is no `error`, which is the server's word and not a delivery; undefined until then. */
  provedAt: number | undefined
  /** The last event, or its proof. */
  eventAt: number
  /** How many events have come over it. */
  events: number
  /** The server closes it as planned: come back within so long. */
  byeMs: number | undefined
  /** There once it is open, if the transport has it. */
  update: Link['update']
  /** Settles as soon as it has ended or been ended: with how it failed, or undefined where its owner had no need of it. Never rejects. */
  readonly ended: Promise<TransportError | undefined>
  /** Ends it: with an error as a failure, without one because nobody needs it. */
  end(error?: TransportError): void
  /** It may have died: it is suspect if it is silent right now. */
  check(): void
  /** It is dead unless it brings an event within so long. */
  challenge(ms: number): void
}

export interface LinkOptions {
  transport: string
  open(signal: AbortSignal): Link
  /** Without a first frame by then it has failed. */
  probeTimeoutMs: number
  onProved(): void
  /** It has brought no event for so long, out of character. */
  onSuspect(quietMs: number): void
  /** May throw: then the link has failed. */
  onFrame(frame: Frame): void
  /** After each batch. True where a reader is full: it has a task's time to take what it has, unless more comes before, then `onFull` is called. */
  isFull(): boolean
  onFull(): void
}

export function runLink({ transport, open, probeTimeoutMs, onProved, onSuspect, onFrame, isFull, onFull }: LinkOptions): RunningLink {
  const controller = new AbortController()
  const { signal } = controller
  const end = (error?: TransportError): void => controller.abort(error)
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

  /** The proof. A timer that comes late has what has come meanwhile behind it. */
  function expect(ms: number): ReturnType<typeof setTimeout> {
    const lateAt = now() + ms + LATE_MS
    return setTimeout(() => {
      if (now() > lateAt) timer = expect(LATE_MS)
      else if (link.heardAt) end(new TransportError('mute', `opened, but delivered nothing within ${probeTimeoutMs} ms`))
      else end(new TransportError('timeout', `no answer within ${probeTimeoutMs} ms`))
    }, ms)
  }

  /** One timer that looks at the clock, instead of one anew for each frame. */
  function watch(): void {
    const at = now()
    const silentMs = at - (link.heardAt ?? at)
    if (at > dueAt + LATE_MS || Date.now() - heardDate > silentMs + LATE_MS) {
      heardDate = Date.now() - silentMs
      deadAfterMs = Math.max(deadAfterMs, silentMs + suspectMs(rhythm, true))
      suspect()
    } else if (silentMs >= deadAfterMs || at >= challengedUntil) end(new TransportError('silent', `silent for ${Math.round(silentMs)} ms`))
    else if (at - link.eventAt >= suspectAfterMs) suspect()
    rest()
  }

  /** Until a silence is long enough to mean something. */
  function rest(): void {
    clearTimeout(timer)
    if (signal.aborted) return
    const at = now()
    dueAt = Math.max(at, Math.min((link.heardAt ?? 0) + deadAfterMs, link.eventAt + suspectAfterMs, challengedUntil))
    timer = setTimeout(watch, dueAt - at)
  }

  function suspect(): void {
    const quietMs = now() - link.eventAt
    suspectAfterMs = Math.max(suspectAfterMs, 2 * quietMs)
    onSuspect(quietMs)
  }

  function hear(frames: readonly Frame[]): void {
    link.heardAt = now()
    heardDate = Date.now()
    deadAfterMs = deadMs(rhythm)
    if (!link.provedAt || frames.every(isControl)) return
    rhythm = heardAfter(rhythm, link.heardAt - link.eventAt)
    listen()
  }

  /** From now on. */
  function listen(): void {
    link.eventAt = now()
    challengedUntil = Infinity
    suspectAfterMs = suspectMs(rhythm, isHidden())
    // It may be due later than that.
    if (link.eventAt + suspectAfterMs < dueAt) rest()
  }

  function take(frames: readonly Frame[]): void {
    hear(frames)
    const isProof = !link.provedAt && frames.some((frame) => !isControl(frame) || frame.control !== 'error')
    if (isProof) {
      link.provedAt = link.heardAt
      onProved()
    }
    for (const frame of frames) {
      if (signal.aborted) return
      if (!isControl(frame)) link.events += 1
      else if (frame.control === 'hello') {
        if (frame.protocol !== PROTOCOL) throw new TransportError('protocol', `the server speaks protocol ${frame.protocol}, expected ${PROTOCOL}`)
        rhythm = rhythmOf(frame.heartbeatMs)
        deadAfterMs = deadMs(rhythm)
      } else if (frame.control === 'bye') {
        link.byeMs = frame.retryMs
        end(new TransportError('bye', 'the server is closing this connection'))
      }
      onFrame(frame)
    }
    // Only now: `hello` has told how long a silence may be.
    if (isProof) listen()
  }

  async function read(): Promise<never> {
    await undefined // The owner has the link in hand before anything happens.
    signal.throwIfAborted()
    const opened = open(signal)
    link.update = opened.update?.bind(opened)
    const frames = opened.frames[Symbol.asyncIterator]()
    try {
      for (let next = frames.next(); ; ) {
        const { done, value } = await next
        if (done) throw new TransportError('cut', 'the connection ended')
        signal.throwIfAborted()
        take([value].flat())
        const room = isFull() && macrotask()
        next = frames.next()
        if (!room) continue
        // What nobody takes would pile up before this: a socket is not held up by not being read.
        await Promise.race([room, next])
        onFull()
      }
    } finally {
      frames.return?.().catch(() => {}) // it has ended, in one way or the other
    }
  }

  async function run(): Promise<TransportError | undefined> {
    try {
      return await orAborted(read(), signal) // a transport that ignores its abort holds nobody up
    } catch (error) {
      if (error instanceof TransportError) return error
      return signal.aborted ? undefined : new TransportError('network', messageOf(error), { cause: error })
    } finally {
      clearTimeout(timer)
      end()
    }
  }

  const link: RunningLink = {
    transport,
    startedAt: now(),
    heardAt: undefined,
    provedAt: undefined,
    eventAt: 0,
    events: 0,
    byeMs: undefined,
    update: undefined,
    ended: run(),
    end,
    check() {
      if (link.heardAt && Date.now() - heardDate > LATE_MS) suspect()
    },
    challenge(ms) {
      challengedUntil = now() + ms
      rest()
    }
  }
  return link
}
