/** What becomes of a job, or of all, when the server says `error` (PROTOCOL.md §7). */

import { type JobtailError, saidBy, TransportError } from '../errors.ts'
import { verdict } from '../policy/verdict.ts'
import type { ErrorControl } from '../protocol/frames.ts'
import type { Carrier } from './carrier.ts'
import type { Jobs } from './jobs.ts'

export interface RefusalsOptions {
  jobs: Jobs
  unknownJobGraceMs: number
  /** Asks for a held job by JSON. */
  lookAt(job: string): void
  /** The token was refused. */
  onUnauthorized(error: JobtailError): void
  /** The server is busy: wait at least so long. True where that was for this carrier to say. */
  onBusy(atLeastMs: number, carrier: Carrier): boolean
}

export function createRefusals({ jobs, unknownJobGraceMs, lookAt, onUnauthorized, onBusy }: RefusalsOptions): (error: ErrorControl, carrier: Carrier) => void {
  const fail = (job: string, error: JobtailError): void => {
    for (const reader of jobs.readers(job)) reader.fail(error)
  }

  function refuseJob(job: string, error: ErrorControl, carrier: Carrier): void {
    const asked = carrier.readings.drop(job)
    const decision = verdict(error.status, asked?.cursor !== undefined && asked.cursor !== 'tail')
    switch (decision.do) {
      case 'throw':
        return fail(job, saidBy(`job ${job}`, error, decision.code))
      case 'reauthorize':
        return onUnauthorized(saidBy(`job ${job}`, error))
      case 'wait':
        return jobs.hold(job, error.retryAfterMs ?? 0, () => lookAt(job))
      case 'ask-again': {
        // Another path has it already: this one spoke too early.
        if (jobs.readers(job).some(({ position }) => position.epoch !== undefined)) return
        const leftMs = unknownJobGraceMs - jobs.heldForMs(job)
        if (leftMs <= 0) return fail(job, saidBy(`job ${job}`, error))
        return jobs.hold(job, 0, () => lookAt(job), leftMs)
      }
      default:
        return decision satisfies never
    }
  }

  return (error, carrier) => {
    const { job, status } = error
    if (job !== undefined) return refuseJob(job, error, carrier)
    const decision = verdict(status, false)
    if (decision.do === 'reauthorize') return onUnauthorized(saidBy('all jobs', error))
    if (decision.do === 'wait') {
      if (!onBusy(error.retryAfterMs ?? 0, carrier)) carrier.link.end(new TransportError('status', error.message, { status }))
      return
    }
    for (const each of carrier.readings.jobs()) refuseJob(each, error, carrier)
  }
}
