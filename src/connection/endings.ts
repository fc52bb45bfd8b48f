/** What the end of a link means to the race, and what is reported of it. */

import { now } from '../async/clock.ts'
import type { TransportError } from '../errors.ts'
import { type Failure, lost, probeEnded, type Race, restarted } from '../policy/race.ts'
import type { ConnectionProblem } from '../types.ts'
import type { Core } from './core.ts'
import type { JobLink } from './job-link.ts'
import type { Reads } from './reads.ts'
import { handleStatus } from './refusals.ts'

/** Handles the ends of links. */
export interface Endings {
  /** When a live link was lost last. */
  readonly lostAt: number
  /** The race before that loss. */
  readonly beforeLoss: Race
  /** A link has ended; `error` is `undefined` where it did not fail. */
  ended(jobLink: JobLink, error: TransportError | undefined): void
  /** Reports a link's failure, and keeps it as the connection's problem. */
  fail(jobLink: JobLink, error: TransportError): Failure
}

/** Makes the handler of a connection's links. */
export function createEndings(core: Core, reads: Reads): Endings {
  const { options, policy, table, links } = core
  let beforeLoss = core.race
  let lostAt = -Infinity

  function ended(jobLink: JobLink, error: TransportError | undefined): void {
    links.delete(jobLink)
    const { use, transport, link, jobs } = jobLink
    // A link that ends with nothing left to read has neither failed nor been lost.
    const isDone = jobs.jobs().length === 0 || table.wanted().length === 0
    core.schedule()
    switch (use.kind) {
      case 'draining':
        core.draining = undefined
        return
      case 'dropped':
        return reportAbandoned(jobLink)
      case 'read':
        reads.onEnded(jobLink, use, error)
        if (error && link.provedAt === undefined) onReadFailed(jobLink, error)
        return
      case 'live': {
        if (!error || isDone) {
          core.dropRace()
          return core.turn(restarted(core.race))
        }
        fail(jobLink, error)
        if (handleStatus(core, jobLink, error)) return
        const { lastByteAt, provedAt = 0, byeMs } = link
        const untilMs = error.reason === 'silent' ? lastByteAt : undefined
        beforeLoss = core.race
        lostAt = now()
        core.dropRace()
        return core.turn(lost(core.race, { livedMs: (untilMs ?? now()) - provedAt, events: jobs.newEvents, byeMs }, now(), policy))
      }
      case 'probe': {
        const failure = error && !isDone ? fail(jobLink, error) : undefined
        if (!failure) reportAbandoned(jobLink)
        else if (error && handleStatus(core, jobLink, error)) return
        core.turn(probeEnded(core.race, transport.name, failure, now(), policy))
        // Browsers do not tell a redirect to another origin, such as a login page, from a dead network. A single read can tell them apart.
        if (core.race.phase.kind === 'waiting' && core.race.failed.some(({ reason }) => reason === 'network'))
          for (const job of table.wanted()) table.setDue(job, 0)
        return
      }
      default:
        return use satisfies never
    }
  }

  function onReadFailed(jobLink: JobLink, error: TransportError): void {
    if (handleStatus(core, jobLink, error)) core.problem = problemOf(jobLink, error)
    if (error.reason !== 'redirected' || core.live) return
    fail(jobLink, error)
    options.warn(`jobtail: ${error.message}; has the session ended, or is it the URL of a page?`)
  }

  function reportAbandoned({ link, transport }: JobLink): void {
    if (link.provedAt === undefined) core.emit({ type: 'probe-abandoned', afterMs: now() - link.startedAt }, transport.name)
  }

  function fail(jobLink: JobLink, error: TransportError): Failure {
    const { transport, link, jobs } = jobLink
    const { name, traits } = transport
    const { reason, status } = error
    const problem = problemOf(jobLink, error)
    // A redirect says more than the network failures that come with it.
    if (!core.isBesideLive(jobLink) && !(reason === 'network' && core.problem?.reason === 'redirected')) core.problem = problem
    if (link.provedAt !== undefined) core.emit({ type: 'lost', afterMs: now() - link.provedAt, reason, events: jobs.newEvents }, name)
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
