/** Start, cancel and snapshot as single requests, and what their failures say in a terminal. */

import { jobtailBackend } from '../backend/jobtail.ts'
import { isJobtailError } from '../errors.ts'
import { createOperations, type Operations } from '../operations.ts'
import { place, resourceUrl } from '../protocol/urls.ts'
import type { Limits } from './arguments/command-line.ts'
import { EXIT, Exit } from './exit-codes.ts'
import { createReachable, failureOf } from './job-client.ts'
import { limited } from './limits.ts'
import type { Outside } from './outside.ts'
import { routeTo } from './proxy.ts'

/** What is asked, by whom, below which URL. */
export interface Target {
  base: URL
  token: string | undefined
  headers: Readonly<Record<string, string>>
}

/**
 * Asks once, and again only where the server itself asks for patience; with `retries` as long as that may help.
 * @throws Exit, whatever went wrong
 */
export async function request<T>(
  { base, token, headers }: Target,
  { timeoutMs, retries }: Limits,
  outside: Outside,
  ask: (operations: Operations, signal: AbortSignal) => Promise<T>
): Promise<T> {
  const route = await routeTo(base, outside.env)
  return limited(outside.signal, timeoutMs, 'there was no answer', async ({ signal, stop }) => {
    const reachable = createReachable({ base, route, onSilence: () => !retries && !reachable.hasAnswered() && stop(reachable.unreachable()) })
    const operations = createOperations({
      backend: jobtailBackend(),
      context: async (each) => ({ base, token, headers: new Headers(headers), credentials: 'same-origin', signal: each, fetch: reachable.fetch }),
      retry: { baseMs: 250, maxMs: 30_000, attempts: retries ? Number.POSITIVE_INFINITY : 1 },
      canReauthorize: false
    })
    try {
      return await ask(operations, signal)
    } catch (error) {
      signal.throwIfAborted()
      throw failed(error, token)
    }
  })
}

/** What the server's or the path's word is worth to a shell. */
export function failed(error: unknown, token: string | undefined, reason = ''): unknown {
  if (!isJobtailError(error)) return error
  const hint = error.code === 'unauthorized' && token === undefined ? '; JOBTAIL_TOKEN or --token-file gives a token' : ''
  return new Exit(EXIT.unavailable, failureOf(error) + reason + hint, { cause: error })
}

/** So a server refuses what is no job's URL. */
const MAY_BE_BASE: readonly (number | undefined)[] = [400, 404, 405, 410]

/**
 * Whether this job's URL is `{base}` itself: its `/events` without a job is answered 400 (PROTOCOL.md §2). Asked only once something has been refused.
 * @throws Exit where it is
 */
export async function refuseBase(job: string, target: Target, exit: unknown, outside: Outside): Promise<void> {
  const cause = exit instanceof Exit ? exit.cause : undefined
  if (!isJobtailError(cause) || !(MAY_BE_BASE.includes(cause.status) || cause.code === 'protocol') || outside.signal.aborted) return
  const url = resourceUrl(target.base, job)
  const { fetch } = await routeTo(url, outside.env)
  const headers = { accept: 'application/json', ...target.headers, ...(target.token === undefined ? {} : { authorization: `Bearer ${target.token}` }) }
  const answer = await fetch(resourceUrl(target.base, job, 'events'), {
    headers,
    redirect: 'manual',
    signal: AbortSignal.any([outside.signal, AbortSignal.timeout(5000)])
  })
    .then(async (response) => ({ status: response.status, type: response.headers.get('content-type') ?? '', text: await response.text() }))
    .catch(() => undefined) // then it stays with what was said first
  if (answer?.status === 400 && answer.type.startsWith('application/problem+json'))
    throw new Exit(EXIT.usage, `${place(url)} looks like {base}, below which all jobs are: give ${place(url).replace(/\/+$/, '')}/{id}`, { cause })
}
