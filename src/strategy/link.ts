/** Runs one link from its first pull to its end: its proof, what came over it, what ended it. Knows no job. */

import { macrotask, now } from '../async/clock.ts'
import { orAborted } from '../async/signals.ts'
import { messageOf, TransportError } from '../errors.ts'
import { type Frame, isControl } from '../protocol/frames.ts'
import { PROTOCOL } from '../protocol/rules.ts'
import type { Link } from '../types.ts'
import { type Silence, watchSilence } from './silence.ts'

export interface RunningLink extends Pick<Silence, 'heardAt' | 'eventAt' | 'check' | 'challenge'> {
  readonly transport: string
  readonly startedAt: number
  /** The first frame that is no `error`, which is the server's word and not a delivery; undefined until then. */
  provedAt: number | undefined
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
  const silence = watchSilence(controller, probeTimeoutMs, onSuspect)

  function take(frames: readonly Frame[]): void {
    silence.heard(!!link.provedAt && !frames.every(isControl))
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
        if (frame.heartbeatMs) silence.beats(frame.heartbeatMs)
      } else if (frame.control === 'bye') {
        link.byeMs = frame.retryMs
        end(new TransportError('bye', 'the server is closing this connection'))
      }
      onFrame(frame)
    }
    // Only now: `hello` has told how long a silence may be.
    if (isProof) silence.listen()
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
      end()
    }
  }

  const link: RunningLink = Object.assign(silence, {
    transport,
    startedAt: now(),
    provedAt: undefined,
    events: 0,
    byeMs: undefined,
    update: undefined,
    ended: run(),
    end
  })
  return link
}
