/** What the status of a failed link means, by the server or by an intermediary (RFC 9110), and the end of all reading. */

import { now } from '../async/clock.ts'
import { isJobtailError, type JobtailError, type TransportError } from '../errors.ts'
import { paused, raceOf, upgradePaused } from '../policy/race.ts'
import { type Core, dropRace, isBesideLive, type JobLink, orderOf, restart } from './core.ts'

/**
 * Handles a failed link's status, whoever sent it: 401 means another token; `Retry-After` or 429 means a pause (RFC 9110 §10.2.3). Returns
 * true where that settles what the failure means.
 */
export function handleStatus(core: Core, jobLink: JobLink, { status, retryAfterMs, cause }: TransportError): boolean {
  const { auth, race } = core
  const byServer = isJobtailError(cause)
  const times = status === 401 ? auth.refuse(byServer) : undefined
  const asksForSilence = retryAfterMs !== undefined || status === 429
  if (isBesideLive(core, jobLink)) {
    // Once only: if the credentials were replaced at each refusal, no refusal would ever be of those in use, and none would be final.
    if (times !== undefined) void core.authorize().then(auth.set, () => {})
    // Better transports are tried later.
    if (asksForSilence) core.race = upgradePaused(race, retryAfterMs ?? 0, now())
    return false
  }
  if (times !== undefined) restart(core, times)
  // The server's own word is final.
  else if (status === 401 && byServer) failAll(core, cause)
  else if (asksForSilence) {
    dropRace(core, 'read')
    core.race = paused(core.race, retryAfterMs ?? 0, jobLink.use === 'read' ? race.favourite : jobLink.transport.name, now(), core)
  } else return false
  return true
}

/** Fails every reader. The next race begins as the first one did. */
export function failAll(core: Core, error: JobtailError): void {
  dropRace(core, 'draining')
  core.race = raceOf(orderOf(core))
  core.races = 0
  core.network = null
  core.auth.accept()
  for (const reader of core.table.all()) reader.fail(error)
  core.schedule()
}
