/** What is said of a round in which nothing was delivered. */

import { codeOf, JobtailError } from '../errors.ts'
import type { Failure, Step } from '../policy/next.ts'

const listOf = (failures: readonly Failure[]): string => failures.map(({ transport, status, reason }) => `${transport} (${status ?? reason})`).join(', ')

/** The error that all readers throw. */
export function errorOf(step: Exclude<Step, { do: 'wait' }>, base: URL, probeTimeoutMs: number): JobtailError {
  const { failures } = step
  const [last] = failures
  const where = base.origin + base.pathname
  if (step.do === 'throw')
    return new JobtailError(codeOf(step.status), `every path to ${where} answered ${step.status}: ${last?.message}`, {
      status: step.status
    })
  if (!last) return new JobtailError('unreachable', `no connection to ${where} lasted long enough to deliver anything`)
  return new JobtailError('unreachable', `no transport delivered within ${probeTimeoutMs} ms from ${where}: ${listOf(failures)}`, {
    status: last.status,
    transport: last.transport
  })
}

/** What to look at, for a developer's console. */
export const describe = (failures: readonly Failure[], base: URL): string =>
  `jobtail: no transport delivered from ${base.origin}${base.pathname}; trying on. Look at the URL, the server's status and content type, redirects, and CORS:\n${failures
    .map(({ transport, reason, message }) => `  ${transport}: ${reason}: ${message}`)
    .join('\n')}`
