/** Runs one link from its first pull to its end: proof, liveness, what ended it. Knows no job. */

import { now } from '../async/clock.ts'
import { orAborted } from '../async/signals.ts'
import { TransportError } from '../errors.ts'
import type { Frame } from '../protocol/frames.ts'
import type { FailureReason, Link } from '../types.ts'

export interface Ending {
  /** Undefined where its owner ended it. */
  reason: FailureReason | undefined
  message: string
  status?: number | undefined
}

export interface RunningLink {
  readonly transport: string
  readonly startedAt: number
  /** Undefined until its first frame. */
  readonly provedAt: number | undefined
  /** From its first frame until now, or until the last byte before it fell silent; 0 before. */
  readonly livedMs: number
  /** Settles as soon as it has ended or been ended. Never rejects. */
  readonly ended: Promise<Ending>
  /** There once it is open, if the transport has it. */
  readonly update: Link['update']
  /** Ends it: with an error as a failure, without one because nobody needs it. */
  end(error?: TransportError): void
}

export interface LinkOptions {
  transport: string
  open(signal: AbortSignal): Link
  /** Without a first frame by then it has failed. */
  probeTimeoutMs: number
  /** Without a byte for so long it is dead; asked anew each time. */
  silenceMs(): number
  onProved(): void
  /** May throw: then the link has failed. The next frames are taken once it has resolved. */
  onFrames(frames: readonly Frame[]): Promise<void> | undefined
}

/** An `error` is the server's word, not a delivery. */
const proves = (frame: Frame): boolean => !('control' in frame && frame.control === 'error')

export function runLink({ transport, open, probeTimeoutMs, silenceMs, onProved, onFrames }: LinkOptions): RunningLink {
  const controller = new AbortController()
  const startedAt = now()
  let heardAt: number | undefined
  let provedAt: number | undefined
  let silentSince: number | undefined
  let update: Link['update']
  let iterator: AsyncIterator<Frame | readonly Frame[]> | undefined

  let timer = setTimeout(watch, probeTimeoutMs)
  /** One timer that looks at the clock, instead of one anew for each frame. */
  function watch(): void {
    if (provedAt === undefined || heardAt === undefined)
      return heardAt === undefined
        ? end(new TransportError('timeout', `no answer within ${probeTimeoutMs} ms`))
        : end(new TransportError('mute', `opened, but delivered nothing within ${probeTimeoutMs} ms`))
    const leftMs = heardAt + silenceMs() - now()
    if (leftMs <= 0) {
      silentSince = heardAt
      return end(new TransportError('silent', `silent for ${Math.round(now() - heardAt)} ms`))
    }
    timer = setTimeout(watch, leftMs)
  }

  function take(frames: readonly Frame[]): Promise<void> | undefined {
    heardAt = now()
    const isProof = provedAt === undefined && frames.some(proves)
    if (isProof) {
      provedAt = heardAt
      onProved()
    }
    const pause = frames.length > 0 && !controller.signal.aborted ? onFrames(frames) : undefined
    if (isProof) {
      // Only now: `hello` has told how long a silence may be.
      clearTimeout(timer)
      timer = setTimeout(watch, silenceMs())
    }
    return pause
  }

  async function read(): Promise<never> {
    await undefined // The owner has the link in hand before anything happens.
    controller.signal.throwIfAborted()
    const link = open(controller.signal)
    update = link.update?.bind(link)
    iterator = link.frames[Symbol.asyncIterator]()
    for (;;) {
      const result = await iterator.next()
      controller.signal.throwIfAborted()
      if (result.done) throw new TransportError('cut', 'the connection ended')
      const { value } = result
      const pause = take(Array.isArray(value) ? value : [value])
      if (pause) await pause
    }
  }

  async function run(): Promise<Ending> {
    try {
      return await orAborted(read(), controller.signal) // a transport that ignores its abort holds nobody up
    } catch (error) {
      return endingOf(error, controller.signal)
    } finally {
      clearTimeout(timer)
      controller.abort()
      release(iterator)
    }
  }

  function end(error?: TransportError): void {
    controller.abort(error ?? new DOMException('not needed any more', 'AbortError'))
  }

  const ended = run()
  return {
    transport,
    startedAt,
    get provedAt() {
      return provedAt
    },
    get livedMs() {
      return provedAt === undefined ? 0 : (silentSince ?? now()) - provedAt
    },
    ended,
    get update() {
      return update
    },
    end
  }
}

function endingOf(error: unknown, { aborted, reason }: AbortSignal): Ending {
  const failure = aborted ? reason : error
  if (failure instanceof TransportError) {
    const { reason, message, status } = failure
    return { reason, message, status } // not the error itself: an error's message is not enumerable, so that a copy would lose it
  }
  const message = failure instanceof Error ? failure.message : String(failure)
  return { reason: aborted ? undefined : 'network', message }
}

/** Lets the iterator clean up; how that went changes nothing. */
async function release(iterator: AsyncIterator<unknown> | undefined): Promise<void> {
  try {
    await iterator?.return?.()
  } catch {
    // the link has ended all the same
  }
}
