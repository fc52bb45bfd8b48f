/** A link with what it reads. */

import { TransportError } from '../errors.ts'
import type { ErrorControl, Frame } from '../protocol/frames.ts'
import { type Ending, type LinkOptions, type RunningLink, runLink } from '../strategy/link.ts'
import type { OpenRequest, Transport } from '../types.ts'
import { dispatch } from './dispatch.ts'
import { createReadings, type Readings, type Wants } from './readings.ts'

/** Before its hello, a link is given what servers name as a rule. */
const DEFAULT_HEARTBEAT_MS = 15_000
/** Dead after so many heartbeats without a byte. */
const SILENT_HEARTBEATS = 2.5

export interface Carrier {
  readonly link: RunningLink
  readonly readings: Readings
  /** How many events have come over it. */
  readonly events: number
  /** The server closes it as planned: come back within so long. */
  readonly byeMs: number | undefined
}

export interface CarrierOptions {
  transport: Transport
  request: Omit<OpenRequest, 'jobs' | 'signal'>
  probeTimeoutMs: number
  nextRef(): number
  /** What is to be read; asked at the opening, and for each `subscribed`. */
  wants(): Wants
  onProved(carrier: Carrier): void
  onHello(mux: number): void
  onSubscribed(job: string): void
  onEnded(job: string, status: string): void
  onError(error: ErrorControl, carrier: Carrier): void
  /** After each batch; the next one is taken once it has resolved. */
  onDelivered: LinkOptions['onFrames']
  onOver(carrier: Carrier, ending: Ending): void
}

export function createCarrier(options: CarrierOptions): Carrier {
  const { transport, request, probeTimeoutMs, wants } = options
  const readings = createReadings(options.nextRef)
  let heartbeatMs = DEFAULT_HEARTBEAT_MS
  let events = 0
  let byeMs: number | undefined

  const link = runLink({
    transport: transport.name,
    open: (signal) => transport.open({ ...request, headers: new Headers(request.headers), jobs: readings.ask(wants()), signal }),
    probeTimeoutMs,
    silenceMs: () => heartbeatMs * SILENT_HEARTBEATS,
    onProved: () => options.onProved(carrier),
    onFrames(frames: readonly Frame[]) {
      events += dispatch(frames, {
        readings,
        wants,
        onHello(hello) {
          heartbeatMs = hello.heartbeatMs
          options.onHello(hello.mux ?? 1)
        },
        onSubscribed: options.onSubscribed,
        onEnded: options.onEnded,
        onError: (error) => options.onError(error, carrier),
        onBye(retryMs) {
          byeMs = retryMs
          link.end(new TransportError('bye', 'the server is closing this connection'))
        }
      })
      return options.onDelivered(frames)
    }
  })
  const carrier: Carrier = {
    link,
    readings,
    get events() {
      return events
    },
    get byeMs() {
      return byeMs
    }
  }
  link.ended.then((ending) => options.onOver(carrier, ending))
  return carrier
}
