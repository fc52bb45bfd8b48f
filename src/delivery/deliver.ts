/** What a frame means: to the readers, for what is wanted, and for the link that brought it. */

import { saidBy, TransportError } from '../errors.ts'
import { type Verdict, verdict } from '../policy/verdict.ts'
import { type ErrorControl, type Frame, isControl } from '../protocol/frames.ts'
import { isTerminal, TAIL } from '../protocol/rules.ts'
import type { Jobs } from './jobs.ts'
import type { Carrier, Loop } from './loop.ts'

export interface DeliveryOptions {
  unknownJobGraceMs: number
  onHello(mux: number): void
}

/** `isBeside`: whether what it says of a job counts for nothing, since it runs beside what works. */
export function createDelivery(
  options: DeliveryOptions,
  loop: Loop,
  jobs: Jobs,
  isBeside: (carrier: Carrier) => boolean
): (frame: Frame, carrier: Carrier) => void {
  /** What becomes of a job, or of all, when the server says `error` (PROTOCOL.md §7). */
  function refuse(error: ErrorControl, carrier: Carrier): void {
    const { job, status, message, retryAfterMs = 0 } = error
    const { readings } = carrier
    const cursor = job && readings.drop(job)?.cursor
    const decision = verdict(status, !!cursor && cursor !== TAIL)
    if (decision === 'reauthorize') return loop.onUnauthorized(saidBy(job ? `job ${job}` : 'all jobs', error), carrier)
    // Beside what works no refusal counts.
    if (isBeside(carrier)) return
    if (job) return refuseJob(job, decision, error)
    if (decision !== 'wait') for (const each of readings.jobs()) refuse({ ...error, job: each }, carrier)
    else if (!loop.onBusy(retryAfterMs, carrier)) carrier.end(new TransportError('status', message, { status }))
  }

  function refuseJob(job: string, decision: Verdict, error: ErrorControl): void {
    const readers = jobs.readers(job)
    if (decision === 'wait') return void jobs.hold(job, error.retryAfterMs)
    if (decision === 'ask-again') {
      // Where another path has it already, this one spoke too early.
      if (readers.some(({ position }) => position.epoch) || jobs.hold(job, 0, options.unknownJobGraceMs)) return
    }
    for (const reader of readers) reader.fail(saidBy(`job ${job}`, error, decision === 'history-gone' ? decision : undefined))
  }

  return (frame, carrier) => {
    const { readings } = carrier
    if (!isControl(frame)) {
      const { job, type } = frame
      if (isTerminal(type) && readings.active(job).length > 0) loop.emit({ type: 'ended', job, status: type })
      return readings.event(frame)
    }
    switch (frame.control) {
      case 'hello':
        return options.onHello(frame.mux ?? 1)
      case 'subscribed':
        loop.onSubscribed()
        jobs.free(frame.job)
        return readings.subscribed(frame)
      case 'done':
        return readings.done(frame)
      case 'more':
        return readings.more(frame)
      case 'error':
        return refuse(frame, carrier)
    }
  }
}
