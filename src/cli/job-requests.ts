/** Single requests (start, cancel, snapshot), and their failures as exit codes and messages. */

import { jobtailBackend } from '../backend/jobtail.ts'
import { isJobtailError } from '../errors.ts'
import { createOperations, type Operations } from '../operations.ts'
import { place, resourceUrl } from '../protocol/urls.ts'
import type { Limits } from './arguments/command.ts'
import type { CommandContext } from './command-context.ts'
import { EXIT, Exit } from './exit-codes.ts'
import { failureOf, trackConnection } from './job-client.ts'
import { withLimits } from './limits.ts'
import { routeTo } from './proxy.ts'

/** The server of a request, and the credentials. */
export interface Target {
  base: URL
  token: string | undefined
  headers: Readonly<Record<string, string>>
}

/**
 * Sends a request. Repeats it only where the server asks for that (`Retry-After`), or with `retries` until `timeoutMs`.
 *
 * @throws {Exit} for every failure
 */
export async function request<T>(
  { base, token, headers }: Target,
  { timeoutMs, retries }: Limits,
  context: CommandContext,
  send: (operations: Operations, signal: AbortSignal) => Promise<T>
): Promise<T> {
  const route = await routeTo(base, context.env)
  return withLimits(context.signal, timeoutMs, 'there was no answer', async ({ signal, stop }) => {
    const reachable = trackConnection({ base, route, onNetworkError: () => !retries && !reachable.hasAnswered() && stop(reachable.unreachable()) })
    const operations = createOperations({
      backend: jobtailBackend(),
      context: async (each) => ({ base, token, headers: new Headers(headers), credentials: 'same-origin', signal: each, fetch: reachable.fetch }),
      retry: { baseMs: 250, maxMs: 30_000, attempts: retries ? Number.POSITIVE_INFINITY : 1 },
      canReauthorize: false
    })
    try {
      return await send(operations, signal)
    } catch (error) {
      signal.throwIfAborted()
      throw toExit(error, token)
    }
  })
}

/** Turns a `JobtailError` into an `Exit` with its message. Other errors are returned as they are. */
export function toExit(error: unknown, token: string | undefined, reason = ''): unknown {
  if (!isJobtailError(error)) return error
  const hint = error.code === 'unauthorized' && token === undefined ? '; set JOBTAIL_TOKEN or --token-file to send a token' : ''
  return new Exit(EXIT.unavailable, failureOf(error) + reason + hint, { cause: error })
}

/** The statuses with which servers refuse a URL that isn't a job's. */
const REFUSAL_STATUSES: readonly (number | undefined)[] = [400, 404, 405, 410]

/**
 * Detects that the user gave `{base}` instead of a job's URL: a request for `{base}/events` without a job is answered with 400 (PROTOCOL.md §2). Sends that
 * request only after another one was refused.
 *
 * @throws {Exit} where the URL is `{base}`, with a message that says so
 */
export async function rejectBaseUrl(job: string, target: Target, exit: unknown, context: CommandContext): Promise<void> {
  const cause = exit instanceof Exit ? exit.cause : undefined
  if (!isJobtailError(cause) || !(REFUSAL_STATUSES.includes(cause.status) || cause.code === 'protocol') || context.signal.aborted) return
  const url = resourceUrl(target.base, job)
  const { fetch } = await routeTo(url, context.env)
  const headers = { accept: 'application/json', ...target.headers, ...(target.token === undefined ? {} : { authorization: `Bearer ${target.token}` }) }
  const answer = await fetch(resourceUrl(target.base, job, 'events'), {
    headers,
    redirect: 'manual',
    signal: AbortSignal.any([context.signal, AbortSignal.timeout(5000)])
  })
    .then(async (response) => ({ status: response.status, type: response.headers.get('content-type') ?? '', text: await response.text() }))
    .catch(() => undefined) // then the first error is reported
  if (answer?.status === 400 && answer.type.startsWith('application/problem+json'))
    throw new Exit(
      EXIT.usage,
      `${place(url)} looks like {base}, the URL below which all jobs are: expected a job's URL, ${place(url).replace(/\/+$/, '')}/{id}`,
      { cause }
    )
}
