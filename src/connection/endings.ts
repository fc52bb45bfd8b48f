/** What becomes of a race when a link has ended, and what is told of it. */

import { now } from '../async/clock.ts'
import type { TransportError } from '../errors.ts'
import { type Failure, lost, probeEnded, type Race, restarted } from '../policy/race.ts'
import type { ConnectionProblem } from '../types.ts'
import type { Core } from './core.ts'
import type { JobLink } from './job-link.ts'
import type { Reads } from './reads.ts'
import { heed } from './refusals.ts'

export interface Endings {
  /** When a live link was lost last, and the race before that. */
  readonly lostAt: number
  readonly beforeLoss: Race
  /** The link has ended, for nothing that counts where `error` is undefined. */
  ended(own: JobLink, error: TransportError | undefined): void
  /** Tells of a failure of the path's own, and keeps it as what is wrong now. */
  fail(own: JobLink, error: TransportError): Failure
}

export function createEndings(core: Core, reads: Reads): Endings {
  const { options, policy, table, links } = core
  let beforeLoss = core.race
  let lostAt = -Infinity

  function ended(own: JobLink, error: TransportError | undefined): void {
    links.delete(own)
    const { use, transport, link, jobs } = own
    // What ends when it has nothing left to read has neither failed nor been lost.
    const isDone = jobs.jobs().length === 0 || table.wanted().length === 0
    core.schedule()
    switch (use.kind) {
      case 'draining':
        core.draining = undefined
        return
      case 'dropped':
        return tellAbandoned(own)
      case 'read':
        reads.onEnded(own, use, error)
        if (error && link.provedAt === undefined) onReadFailed(own, error)
        return
      case 'live': {
        if (!error || isDone) {
          core.dropRace()
          return core.turn(restarted(core.race))
        }
        fail(own, error)
        if (heed(core, own, error)) return
        const { heardAt, provedAt = 0, byeMs } = link
        const untilMs = error.reason === 'silent' ? heardAt : undefined
        beforeLoss = core.race
        lostAt = now()
        core.dropRace()
        return core.turn(lost(core.race, { livedMs: (untilMs ?? now()) - provedAt, events: jobs.news, byeMs }, now(), policy))
      }
      case 'probe': {
        const failure = error && !isDone ? fail(own, error) : undefined
        if (!failure) tellAbandoned(own)
        else if (error && heed(core, own, error)) return
        core.turn(probeEnded(core.race, transport.name, failure, now(), policy))
        // Without an answer it may have been redirected to another origin, as a login page is: a single read tells.
        if (core.race.phase.kind === 'waiting' && core.race.failed.some(({ reason }) => reason === 'network'))
          for (const job of table.wanted()) table.setDue(job, 0)
        return
      }
      default:
        return use satisfies never
    }
  }

  function onReadFailed(own: JobLink, error: TransportError): void {
    if (heed(core, own, error)) core.problem = problemOf(own, error)
    if (error.reason !== 'redirected' || core.live) return
    fail(own, error)
    options.warn(`jobtail: ${error.message}; retrying. Has the session ended, or is the URL that of a page?`)
  }

  function tellAbandoned({ link, transport }: JobLink): void {
    if (link.provedAt === undefined) core.emit({ type: 'probe-abandoned', afterMs: now() - link.startedAt }, transport.name)
  }

  /** Tells of a failure of the path's own, and keeps it as what is wrong now. */
  function fail(own: JobLink, error: TransportError): Failure {
    const { transport, link, jobs } = own
    const { name, traits } = transport
    const { reason, status } = error
    const problem = problemOf(own, error)
    // That there was no answer says less than that it was redirected.
    if (!core.isSpare(own) && !(reason === 'network' && core.problem?.reason === 'redirected')) core.problem = problem
    if (link.provedAt !== undefined) core.emit({ type: 'lost', afterMs: now() - link.provedAt, reason, events: jobs.news }, name)
    else core.emit({ type: 'probe-failed', afterMs: now() - link.startedAt, reason, status }, name)
    return { ...problem, hidesStatus: traits?.hidesStatus ?? false }
  }

  const problemOf = ({ transport }: JobLink, { reason, status, message }: TransportError): ConnectionProblem => ({
    transport: transport.name,
    reason,
    status,
    message
  })

  return {
    get lostAt() {
      return lostAt
    },
    get beforeLoss() {
      return beforeLoss
    },
    ended,
    fail
  }
}
