/** Runs one link from its first request to its end: when it proves itself, what it brings, why it ends. It knows nothing of jobs. */

import { now } from '../async/clock.ts'
import { delay, orAborted } from '../async/signals.ts'
import { isTransportError, messageOf, TransportError } from '../errors.ts'
import { type Frame, isControl } from '../protocol/frames.ts'
import { PROTOCOL } from '../protocol/rules.ts'
import type { Batch, Link } from '../types.ts'
import { type Liveness, watchLiveness } from './liveness.ts'

/** A link that is running. Times are in ms since 1970. */
export interface RunningLink extends Pick<Liveness, 'startedAt' | 'lastByteAt' | 'lastEventAt' | 'check' | 'requireEventWithin'> {
  /** When its first frame came; `undefined` before that. An `error` does not count: it is a refusal, not a delivery. */
  readonly provedAt: number | undefined
  /** After a planned close by the server: the client reconnects within a random time up to this. */
  readonly byeMs: number | undefined
  /** Resolves once it has ended, and that was reported. */
  readonly ended: Promise<void>
  /** Leaves unread what comes next, until the other link has ended, or has brought no event for half a second. */
  restBeside(other: RunningLink): void
  /** Changes its jobs in place; `undefined` where its transport cannot, and before it is open. */
  readonly update: Link['update']
  /** Ends it: as a failure with an error, as no longer needed without one. */
  end(error?: TransportError): void
}

/** What a link reports to its owner. */
export type LinkEvent =
  /** Frames have come. `proves`: the first one is among them. `bytesEach`: roughly how much memory one event takes, where the transport knows it. */
  | { type: 'frames'; frames: readonly Frame[]; proves: boolean; bytesEach: number | undefined }
  /** It has brought no event for `quietMs`, which is longer than usual. */
  | { type: 'suspect'; quietMs: number }
  /** It has ended: with the failure, or `undefined` where its owner ended it. No event follows. */
  | { type: 'ended'; error: TransportError | undefined }

/** What a link is run with. */
export interface LinkOptions {
  /** Opens the transport's link, one microtask after `runLink` has returned. */
  open(signal: AbortSignal): Link
  /** How long it has to deliver its first frame, in ms. */
  patienceMs: number
  /** Called with each event, never before `runLink` has returned. What it throws at `frames` fails the link. */
  onEvent(event: LinkEvent): void
}

/** A link that brings something is not silent for longer. */
const REST_MS = 500

const isProof = (frame: Frame): boolean => !isControl(frame) || frame.control !== 'error'

/** Starts a link. */
export function runLink({ open, patienceMs, onEvent }: LinkOptions): RunningLink {
  const controller = new AbortController()
  const { signal } = controller
  const end = (error?: TransportError): void => controller.abort(error)
  let beside: RunningLink | undefined
  const link = Object.assign(watchLiveness({ patienceMs, onSuspect: (quietMs) => onEvent({ type: 'suspect', quietMs }), onDead: end }), {
    provedAt: undefined as number | undefined,
    byeMs: undefined as number | undefined,
    update: undefined as Link['update'],
    ended: Promise.resolve(),
    restBeside(other: RunningLink) {
      beside = other
      void other.ended.then(() => {
        beside = undefined
      })
    },
    end
  })

  function take(frames: Batch): void {
    const proves = link.provedAt === undefined && frames.some(isProof)
    for (const frame of frames) {
      if (!isControl(frame)) continue
      if (frame.control === 'hello') {
        if (frame.protocol !== PROTOCOL) throw new TransportError('protocol', `the server speaks protocol ${frame.protocol}, expected ${PROTOCOL}`)
        link.setHeartbeat(frame.heartbeatMs)
      } else if (frame.control === 'bye') {
        link.byeMs = frame.retryMs
        end(new TransportError('bye', 'the server is closing this connection'))
      }
    }
    // After the loop above: `hello` has told the heartbeat, which says how long a silence may be.
    link.onData(!frames.every(isControl), proves)
    if (proves) link.provedAt = now()
    // Frames are reported even with a `bye` among them: those before it count.
    if (frames.length > 0) onEvent({ type: 'frames', frames, proves, bytesEach: frames.textLength && frames.textLength / frames.length })
  }

  async function read(): Promise<never> {
    await undefined // so that the owner has the returned link before anything happens
    signal.throwIfAborted()
    const opened = open(signal)
    link.update = opened.update?.bind(opened)
    const frames = opened.frames[Symbol.asyncIterator]()
    try {
      for (;;) {
        const { done, value } = await frames.next()
        if (done) throw new TransportError('cut', 'the connection ended')
        signal.throwIfAborted()
        take(Array.isArray(value) ? value : [value])
        while (beside && now() - beside.lastEventAt < REST_MS) {
          await delay(REST_MS, signal, beside.ended)
          link.onData(true, false) // it is left unread, so its silence is not suspect
        }
      }
    } finally {
      frames.return?.()?.catch(() => {}) // the link has ended already, whatever this rejects with
    }
  }

  async function run(): Promise<TransportError | undefined> {
    try {
      return await orAborted(read(), signal) // a transport that ignores its abort delays nothing
    } catch (error) {
      if (isTransportError(error)) return error
      return signal.aborted ? undefined : new TransportError('network', messageOf(error), { cause: error })
    } finally {
      end()
      link.stop()
    }
  }

  link.ended = run().then((error) => onEvent({ type: 'ended', error }))

  return link
}
