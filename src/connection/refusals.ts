/** What becomes of jobs and links when a server, or somebody before it, says no (PROTOCOL.md §7, RFC 9110). */

import { now } from '../async/clock.ts'
import type { JobtailError } from '../errors.ts'
import { saidBy, TransportError } from '../errors.ts'
import { decide } from '../policy/decide.ts'
import { raceOf, upgradePaused } from '../policy/race.ts'
import type { ErrorControl } from '../protocol/frames.ts'
import { TAIL } from '../protocol/rules.ts'
import type { Core } from './core.ts'
import type { JobLink } from './job-link.ts'

/** The server's own word about a job, or about all; `isVerifying`: it came beside what works, where no refusal counts. Returns the error that everybody has to be told. */
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
  // Where another path has it already, this one spoke too early.
  else if (decision !== 'retry' || !(readers.some(({ position }) => position.epoch) || table.hold(job, 0, options.unknownJobGraceMs)))
    for (const reader of readers) reader.fail(saidBy(`job ${job}`, error, decision === 'history-gone' ? decision : undefined))
  return undefined
}

/** The token was refused: another one is asked for. False where that is of no use. */
function reauthorize(core: Core, jobLink: JobLink): boolean {
  const { auth } = core
  if (jobLink.use.kind === 'dropped') return true // another one's refusal, of the same token, came first
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

/** What is opened next has a new token. Once: were it renewed at each refusal, none would ever be that of the latest, and the last word. */
function refreshCredentials({ auth, options }: Core): void {
  if (auth.refuse() !== undefined) void options.authorize().then(auth.set, () => {})
}

/** What a failed link's status says whoever sent it: 401, another token; `Retry-After` or 429, silence (RFC 9110 §10.2.3). True where that was all there was to do. */
export function handleStatus(core: Core, jobLink: JobLink, { status, retryAfterMs }: TransportError): boolean {
  const { auth } = core
  const isRefused = status === 401 && !auth.isSuperseded(jobLink.credentials)
  const asksForSilence = retryAfterMs !== undefined || status === 429
  if (core.isBesideLive(jobLink)) {
    if (isRefused) refreshCredentials(core)
    // What is opened next is opened later.
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

/** Everybody is told, and what comes next begins as at first. */
export function failAll(core: Core, error: JobtailError): void {
  core.dropLinks()
  core.race = raceOf(core.order())
  core.races = 0
  core.network = null
  core.auth.accept()
  for (const reader of core.table.all()) reader.fail(error)
  core.schedule()
}
