/** Texts about a race in which no transport delivered. */

import { codeOf, JobtailError } from './errors.ts'
import type { Failure, Step } from './policy/race.ts'
import { place } from './protocol/urls.ts'

/** The error that every reader gets. */
export function raceError({ status, failures }: Step & { do: 'stop' }, base: URL, probeTimeoutMs: number): JobtailError {
  const at = place(base)
  if (status) {
    const answered = failures.find((failure) => failure.status === status)
    return new JobtailError(codeOf(status), `every path to ${at} answered ${status}: ${answered?.message}`, { status })
  }
  const [first] = failures
  const list = failures.map(({ transport, status, reason }) => `${transport} (${reason === 'status' ? status : reason})`).join(', ')
  return new JobtailError(
    'unreachable',
    first ? `no transport delivered within ${probeTimeoutMs} ms from ${at}: ${list}` : `no connection to ${at} lasted`,
    first
  )
}

/** A message for the developer's console: what failed, and what to check. */
export const describeFailures = (failures: readonly Failure[], base: URL): string =>
  `jobtail: no transport delivered from ${place(base)}; retrying. Check URL, status, content type, redirects, CORS:\n${failures
    .map(({ transport, reason, message }) => `  ${transport}: ${reason}: ${message}`)
    .join('\n')}`
