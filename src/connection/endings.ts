/** What the end of a link means to the race, and what is reported of it. */

import { now } from '../async/clock.ts'
import type { TransportError } from '../errors.ts'
import { type Failure, lost, probeEnded } from '../policy/race.ts'
import { type Core, dropRace, isBesideLive, type JobLink, linkFor, remove, reportAbandoned, restart } from './core.ts'
import { readEnded } from './reads.ts'
import { handleStatus } from './refusals.ts'

/** Ends a link, unless it has ended, and says what that means; `error` is `undefined` where it has not failed. Links that were closed are none of ours. */
export function linkEnded(core: Core, jobLink: JobLink, error: TransportError | undefined): void {
  const { use, credentials, jobs, link } = jobLink
  if (!remove(core, jobLink)) return
  link.end()
  core.schedule()
  // A link that ends with nothing left to read has neither failed nor been lost. A refusal of replaced credentials is no failure.
  const isDone = jobs.jobs().length === 0 || core.table.wanted().length === 0
  const isOld = error?.status === 401 && core.auth.isSuperseded(credentials)
  const failure = isOld || (isDone && use !== 'read') ? undefined : error
  switch (use) {
    case 'draining':
      return
    case 'read':
      readEnded(core, jobLink, failure)
      if (failure) onReadFailed(core, jobLink, failure)
      return
    case 'live':
      return onLiveEnded(core, jobLink, failure)
    case 'probe':
      return onProbeEnded(core, jobLink, failure)
    default:
      return use satisfies never
  }
}

function onReadFailed(core: Core, jobLink: JobLink, error: TransportError): void {
  const isRedirect = error.reason === 'redirected' && !linkFor(core, 'live')
  if (handleStatus(core, jobLink, error) || isRedirect) report(core, jobLink, error)
  if (isRedirect) core.warn(`jobtail: ${error.message}; has the session ended, or is it the URL of a page?`)
}

function onLiveEnded(core: Core, jobLink: JobLink, error: TransportError | undefined): void {
  if (!error) return restart(core, 0)
  report(core, jobLink, error)
  if (handleStatus(core, jobLink, error)) return
  // The fresh request, sent at once, tells a lost cursor from lost history.
  if (error.reason === 'stale' && !jobLink.isFresh) return restart(core, 0)
  const { lastByteAt, provedAt = 0, byeMs } = jobLink.link
  const untilMs = error.reason === 'silent' ? lastByteAt : undefined
  core.beforeLoss = { at: now(), race: core.race }
  dropRace(core)
  core.race = lost(core.race, { livedMs: (untilMs ?? now()) - provedAt, events: jobLink.jobs.brought.events, byeMs }, now(), core)
}

function onProbeEnded(core: Core, jobLink: JobLink, error: TransportError | undefined): void {
  const failure = error && report(core, jobLink, error)
  if (!error) reportAbandoned(core, jobLink)
  else if (handleStatus(core, jobLink, error)) return
  core.race = probeEnded(core.race, jobLink.transport.name, failure, now(), core)
  // Browsers do not tell a redirect to another origin, such as a login page, from a dead network. A single read can tell them apart.
  if (core.race.phase.kind === 'waiting' && core.race.failed.some(({ reason }) => reason === 'network'))
    for (const job of core.table.wanted()) core.table.setDue(job, 0)
}

/** Reports a link's failure, and keeps it as the connection's problem. */
function report(core: Core, jobLink: JobLink, { reason, status, message }: TransportError): Failure {
  const { transport, link, jobs } = jobLink
  const { name, traits } = transport
  const problem = { transport: name, reason, status, message }
  // A redirect says more than the network failures that come with it.
  if (!isBesideLive(core, jobLink) && !(reason === 'network' && core.problem?.reason === 'redirected')) core.problem = problem
  if (link.provedAt !== undefined) core.emit({ type: 'lost', afterMs: now() - link.provedAt, reason, events: jobs.brought.events }, name)
  else core.emit({ type: 'probe-failed', afterMs: now() - link.startedAt, reason, status }, name)
  return { ...problem, ...traits }
}
