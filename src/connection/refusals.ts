/** What a refusal, by the server or by an intermediary, means to jobs and links (PROTOCOL.md §7, RFC 9110). */

import { now } from '../async/clock.ts'
import type { JobtailError } from '../errors.ts'
import { saidBy, TransportError } from '../errors.ts'
import { decide } from '../policy/decide.ts'
import { raceOf, upgradePaused } from '../policy/race.ts'
import type { ErrorControl } from '../protocol/frames.ts'
import { TAIL } from '../protocol/rules.ts'
import type { Core } from './core.ts'
import type { JobLink } from './job-link.ts'

/**
 * Handles an `error` frame about one job, or about all. `isVerifying`: it came beside a link that works, so that only a 401 counts. Returns
 * the error that every reader has to get, if any.
 */
export function handleError(core: Core, jobLink: JobLink, error: ErrorControl, isVerifying: boolean): JobtailError | undefined {
  const { job, status, message, retryAfterMs = 0 } = error
  const cursor = job && jobLink.jobs.remove(job)?.cursor
  const decision = decide(status, !!cursor && cursor !== TAIL)
  if (decision === 'reauthorize') return reauthorize(core, jobLink) ? undefined : saidBy(job ? `job ${job}` : 'all jobs', error)
  if (isVerifying) return undefined
  if (!job) {
    if (decision !== 'wait') for (const each of jobLink.jobs.jobs()) handleError(core, jobLink, { ...error, job: each }, isVerifying)
    else if (core.isBesideLive(jobLink)) jobLink.link.end(new TransportError('status', message, { status }))
    else core.pause(jobLink, retryAfterMs)
    return undefined
  }
  const { table, options } = core
  const readers = table.readers(job)
  if (decision === 'wait') table.hold(job, retryAfterMs, Infinity)
  // Another path reads the job already, so this server of several was not up to date.
  else if (decision !== 'retry' || !(readers.some(({ position }) => position.epoch) || table.hold(job, 0, options.unknownJobGraceMs)))
    for (const reader of readers) reader.fail(saidBy(`job ${job}`, error, decision === 'history-gone' ? decision : undefined))
  return undefined
}

/** The token was refused: the token source is asked for another one. Returns false where that is of no use. */
function reauthorize(core: Core, jobLink: JobLink): boolean {
  const { auth } = core
  if (jobLink.use.kind === 'dropped') return true // the same token was refused on another link before
  if (auth.isSuperseded(jobLink.credentials)) jobLink.link.end()
  else if (core.isBesideLive(jobLink)) {
    jobLink.link.end()
    refreshCredentials(core)
  } else {
    const times = auth.refuse()
    if (times === undefined) return false
    core.dropRace()
    core.restart(times)
  }
  return true
}

/**
 * Gets new credentials for the links that are opened later. Once only: if they were replaced at each refusal, no refusal would ever be of
 * the credentials in use, and none would be final.
 */
function refreshCredentials({ auth, options }: Core): void {
  if (auth.refuse() !== undefined) void options.authorize().then(auth.set, () => {})
}

/**
 * Handles a failed link's status, whoever sent it: 401 means another token; `Retry-After` or 429 means a pause (RFC 9110 §10.2.3). Returns
 * true where that settles what the failure means.
 */
export function handleStatus(core: Core, jobLink: JobLink, { status, retryAfterMs }: TransportError): boolean {
  const { auth } = core
  const isRefused = status === 401 && !auth.isSuperseded(jobLink.credentials)
  const asksForSilence = retryAfterMs !== undefined || status === 429
  if (core.isBesideLive(jobLink)) {
    if (isRefused) refreshCredentials(core)
    // Better transports are tried later.
    if (asksForSilence) core.race = upgradePaused(core.race, retryAfterMs ?? 0, now())
    return false
  }
  const times = isRefused ? auth.refuse() : undefined
  if (times !== undefined) {
    core.dropRace()
    core.restart(times)
  } else if (asksForSilence) core.pause(jobLink, retryAfterMs ?? 0)
  return times !== undefined || asksForSilence
}

/** Fails every reader. The next race begins as the first one did. */
export function failAll(core: Core, error: JobtailError): void {
  core.dropLinks()
  core.race = raceOf(core.order())
  core.races = 0
  core.network = null
  core.auth.accept()
  for (const reader of core.table.all()) reader.fail(error)
  core.schedule()
}
