/** Runs one link from its first pull to its end: its proof, what came over it, what ended it. Knows no job. */

import { now } from '../async/clock.ts'
import { orAborted } from '../async/signals.ts'
import { isTransportError, messageOf, TransportError } from '../errors.ts'
import { type Frame, isControl } from '../protocol/frames.ts'
import { PROTOCOL } from '../protocol/rules.ts'
import type { Batch, Link } from '../types.ts'
import { type Liveness, watchLiveness } from './liveness.ts'

export interface RunningLink extends Pick<Liveness, 'check' | 'requireEventWithin'> {
  readonly startedAt: number
  /** The first frame that is no `error`, which is the server's word and not a delivery; undefined until then. */
  readonly provedAt: number | undefined
  /** The last byte; undefined until the first. */
  readonly heardAt: number | undefined
  /** The last event, or the proof. */
  readonly eventAt: number
  /** The server closes it as planned: come back within so long. */
  readonly byeMs: number | undefined
  /** Changes its jobs in place; undefined where its transport can't, and until it is open. */
  readonly update: Link['update']
  /** Ends it: with an error as a failure, without one because nobody needs it. */
  end(error?: TransportError): void
}

export type LinkEvent =
  | { type: 'proved' }
  /** `bytesEach`: about how much memory one event takes, where the transport knows. */
  | { type: 'frames'; frames: readonly Frame[]; bytesEach: number | undefined }
  /** It has brought no event for so long, out of character. */
  | { type: 'suspect'; quietMs: number }
  /** As soon as it has ended or been ended: with how it failed, or undefined where its owner had no need of it. The last one. */
  | { type: 'ended'; error: TransportError | undefined }

export interface LinkOptions {
  open(signal: AbortSignal): Link
  /** Without a first frame by then it has failed. */
  patienceMs: number
  /** Told in tasks of their own, never before `runLink` has returned. May throw at `frames`: then the link has failed. */
  onEvent(event: LinkEvent): void
}

const isProof = (frame: Frame): boolean => !isControl(frame) || frame.control !== 'error'

export function runLink({ open, patienceMs, onEvent }: LinkOptions): RunningLink {
  const controller = new AbortController()
  const { signal } = controller
  const startedAt = now()
  let provedAt: number | undefined
  let byeMs: number | undefined
  let update: Link['update']

  const end = (error?: TransportError): void => controller.abort(error)
  const liveness = watchLiveness({ patienceMs, onSuspect: (quietMs) => onEvent({ type: 'suspect', quietMs }), onDead: end })

  function take(frames: Batch): void {
    liveness.onData(!frames.every(isControl))
    const proves = provedAt === undefined && frames.some(isProof)
    if (proves) {
      provedAt = now()
      onEvent({ type: 'proved' })
    }
    for (const frame of frames) {
      if (!isControl(frame)) continue
      if (frame.control === 'hello') {
        if (frame.protocol !== PROTOCOL) throw new TransportError('protocol', `the server speaks protocol ${frame.protocol}, expected ${PROTOCOL}`)
        liveness.setHeartbeat(frame.heartbeatMs)
      } else if (frame.control === 'bye') {
        byeMs = frame.retryMs
        end(new TransportError('bye', 'the server is closing this connection'))
      }
    }
    // Only now: `hello` has told how long a silence may be.
    if (proves) liveness.onProof()
    // A bye is the last frame: what came before it counts.
    if (frames.length > 0) onEvent({ type: 'frames', frames, bytesEach: frames.textLength && frames.textLength / frames.length })
  }

  async function read(): Promise<never> {
    await undefined // the owner has the link in hand before anything happens
    signal.throwIfAborted()
    const opened = open(signal)
    update = opened.update?.bind(opened)
    const frames = opened.frames[Symbol.asyncIterator]()
    try {
      for (;;) {
        const { done, value } = await frames.next()
        if (done) throw new TransportError('cut', 'the connection ended')
        signal.throwIfAborted()
        take(Array.isArray(value) ? value : [value])
      }
    } finally {
      frames.return?.()?.catch(() => {}) // it has ended, in one way or the other
    }
  }

  async function run(): Promise<TransportError | undefined> {
    try {
      return await orAborted(read(), signal) // a transport that ignores its abort holds nobody up
    } catch (error) {
      if (isTransportError(error)) return error
      return signal.aborted ? undefined : new TransportError('network', messageOf(error), { cause: error })
    } finally {
      end()
      liveness.stop()
    }
  }

  void run().then((error) => onEvent({ type: 'ended', error }))

  return {
    startedAt,
    get provedAt() {
      return provedAt
    },
    get heardAt() {
      return liveness.heardAt
    },
    get eventAt() {
      return liveness.eventAt
    },
    get byeMs() {
      return byeMs
    },
    get update() {
      return update
    },
    check: liveness.check,
    requireEventWithin: liveness.requireEventWithin,
    end
  }
}
