/** Runs one link from its first pull to its end: proof, liveness, what ended it. Knows no job. */

import { now } from '../async/clock.ts'
import { orAborted } from '../async/signals.ts'
import { messageOf, TransportError } from '../errors.ts'
import { type Frame, isControl } from '../protocol/frames.ts'
import { PROTOCOL } from '../protocol/rules.ts'
import type { Link } from '../types.ts'

/** Before its hello, a link is given what servers name as a rule. */
const DEFAULT_HEARTBEAT_MS = 15_000
/** Dead after so many heartbeats without a byte. */
const SILENT_HEARTBEATS = 2.5

export interface RunningLink {
  readonly transport: string
  readonly startedAt: number
  /** The last byte; undefined until the first. */
  heardAt: number | undefined
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
  /** May throw: then the link has failed. */
  onFrame(frame: Frame): void
  /** After each batch: the next one is taken once it has resolved. */
  onTaken(): Promise<void> | undefined
}

export function runLink({ transport, open, probeTimeoutMs, onProved, onFrame, onTaken }: LinkOptions): RunningLink {
  const controller = new AbortController()
  const { signal } = controller
  const end = (error?: TransportError): void => controller.abort(error)
  let heartbeatMs = DEFAULT_HEARTBEAT_MS
  let timer = setTimeout(watch, probeTimeoutMs)

  /** One timer that looks at the clock, instead of one anew for each frame. */
  function watch(): void {
    const { heardAt, provedAt } = link
    if (!heardAt) return end(new TransportError('timeout', `no answer within ${probeTimeoutMs} ms`))
    if (!provedAt) return end(new TransportError('mute', `opened, but delivered nothing within ${probeTimeoutMs} ms`))
    const leftMs = heardAt + heartbeatMs * SILENT_HEARTBEATS - now()
    if (leftMs > 0) timer = setTimeout(watch, leftMs)
    else end(new TransportError('silent', `silent for ${Math.round(now() - heardAt)} ms`))
  }

  function take(frames: readonly Frame[]): void {
    link.heardAt = now()
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
        heartbeatMs = frame.heartbeatMs
      } else if (frame.control === 'bye') {
        link.byeMs = frame.retryMs
        end(new TransportError('bye', 'the server is closing this connection'))
      }
      onFrame(frame)
    }
    if (!isProof) return
    // Only now: `hello` has told how long a silence may be.
    clearTimeout(timer)
    watch()
  }

  async function read(): Promise<never> {
    await undefined // The owner has the link in hand before anything happens.
    signal.throwIfAborted()
    const opened = open(signal)
    link.update = opened.update?.bind(opened)
    for await (const value of opened.frames) {
      signal.throwIfAborted()
      take([value].flat())
      await onTaken()
    }
    throw new TransportError('cut', 'the connection ended')
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
    events: 0,
    byeMs: undefined,
    update: undefined,
    ended: run(),
    end
  }
  return link
}
