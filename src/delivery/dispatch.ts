/** Hands the frames of one link on: events and positions to its readings, the server's word about a job or about all of them to the connection. */

import { TransportError } from '../errors.ts'
import { type ErrorControl, type Frame, type Hello, isControl } from '../protocol/frames.ts'
import { isTerminal, PROTOCOL } from '../protocol/rules.ts'
import type { Readings, Wants } from './readings.ts'

export interface DispatchOptions {
  readings: Readings
  wants(): Wants
  onHello(hello: Hello): void
  /** The job can be read: it was `subscribed`. */
  onSubscribed(job: string): void
  /** Its terminal event has come, and is about to be delivered. */
  onEnded(job: string, status: string): void
  onError(error: ErrorControl): void
  onBye(retryMs: number): void
}

/** Returns how many events there were. Throws where the server broke the protocol. */
export function dispatch(frames: readonly Frame[], { readings, wants, onHello, onSubscribed, onEnded, onError, onBye }: DispatchOptions): number {
  let events = 0
  for (const frame of frames) {
    if (!isControl(frame)) {
      events += 1
      if (isTerminal(frame.type)) onEnded(frame.job, frame.type)
      readings.event(frame)
      continue
    }
    switch (frame.control) {
      case 'hello':
        if (frame.protocol !== PROTOCOL) throw new TransportError('protocol', `the server speaks protocol ${frame.protocol}, expected ${PROTOCOL}`)
        onHello(frame)
        break
      case 'subscribed':
        onSubscribed(frame.job)
        readings.subscribed(frame, wants().get(frame.job) ?? [])
        break
      case 'done':
        for (const reader of readings.done(frame, wants().get(frame.job) ?? [])) reader.done()
        break
      case 'error':
        onError(frame)
        break
      case 'bye':
        onBye(frame.retryMs)
        break
      case 'heartbeat':
      case 'pong':
        break
      default:
        frame satisfies never
    }
  }
  return events
}
