/** Tests a server against the clauses of PROTOCOL.md. */

import { messageOf } from '../../errors.ts'
import { place } from '../../protocol/urls.ts'
import { EXIT, Exit } from '../exit-codes.ts'
import type { Clause, Group } from './clause.ts'
import { accessClauses } from './clauses/access.ts'
import { eventClauses } from './clauses/events.ts'
import { longPollClauses } from './clauses/long-poll.ts'
import { ndjsonLiveClauses } from './clauses/ndjson-live.ts'
import { resourceClauses } from './clauses/resources.ts'
import { shortPollClauses } from './clauses/short-poll.ts'
import { sseClauses } from './clauses/sse.ts'
import { websocketClauses } from './clauses/websocket.ts'
import type { CheckContext } from './context.ts'
import { createCheckContext } from './create-context.ts'
import { brief, Finding, LeftOut } from './finding.ts'
import { type CheckTarget, exchange } from './http.ts'
import { cancelStarted, findJobs, type JobsOptions } from './jobs.ts'

export type Outcome = { outcome: 'met' } | { outcome: 'finding'; asked: string; expected: string; came: string } | { outcome: 'left out'; reason: string }

export type Result = Pick<Clause, 'id' | 'group' | 'section' | 'says'> & Outcome

export interface Report {
  base: string
  results: readonly Result[]
}

export interface CheckOptions extends JobsOptions {
  base: URL
  token?: string | undefined
  headers?: Readonly<Record<string, string>> | undefined
  /** The groups to test. The server then has to offer each of these readings. Default: those that it offers. */
  only?: readonly Group[] | undefined
  /** An origin whose pages may use the server. */
  origin?: string | undefined
  /** Pages of every origin may use the server. */
  anyOrigin?: boolean | undefined
  /** How long an answer may take, in ms. Default 5000. */
  limitMs?: number | undefined
  /** The ids of clauses to leave out. */
  skip?: readonly string[] | undefined
  signal?: AbortSignal | undefined
  route?: CheckTarget['route']
  /** Told each result as it comes, in no order, and of how many it is one. */
  onResult?: ((result: Result, total: number) => void) | undefined
}

/** The long ones first: they wait beside all others. */
export const clauses: readonly Clause[] = [
  ...websocketClauses,
  ...sseClauses,
  ...ndjsonLiveClauses,
  ...longPollClauses,
  ...shortPollClauses,
  ...eventClauses,
  ...resourceClauses,
  ...accessClauses
]

/** How many clauses are tested at once. */
const AT_ONCE = 8

/**
 * Tests every chosen clause. Cancels the jobs that it has started at the end, also where it fails.
 *
 * @throws {Exit} where the server can't be reached
 * @throws {Finding} where the server doesn't answer the requests that start or read jobs
 */
export async function check({
  base,
  token,
  headers = {},
  only,
  limitMs = 5000,
  skip = [],
  signal,
  route,
  onResult,
  ...options
}: CheckOptions): Promise<Report> {
  const checkOver = new AbortController()
  const target: CheckTarget = { base, headers, token, limitMs, route, signal: signal ? AbortSignal.any([signal, checkOver.signal]) : checkOver.signal }
  const started = new Set<string>()
  const selected = clauses.filter(({ id, group }) => !skip.includes(id) && (group === 'log' || !only || only.includes(group)))
  try {
    await expectAnswer(target)
    const jobs = await findJobs(target, options, started)
    return { base: base.href, results: await testAll(selected, createCheckContext({ ...options, target, jobs, required: new Set(only) }), onResult) }
  } finally {
    await cancelStarted({ ...target, signal: checkOver.signal }, started) // without the caller's signal: what has ended the check must not end the clean-up
    checkOver.abort(new Error('the check is over'))
  }
}

async function expectAnswer(target: CheckTarget): Promise<void> {
  try {
    await exchange(target, { url: target.base })
  } catch (error) {
    if (!(error instanceof Finding)) throw error
    throw new Exit(EXIT.unavailable, `${place(target.base)}: expected ${error.expected}, got ${error.came}`, { cause: error })
  }
}

async function testAll(chosen: readonly Clause[], context: CheckContext, onResult: CheckOptions['onResult']): Promise<Result[]> {
  const results: Result[] = []
  const queue = [...chosen.entries()]
  const work = async (): Promise<void> => {
    for (let next = queue.shift(); next; next = queue.shift()) {
      const [index, clause] = next
      const { id, group, section, says } = clause
      const result: Result = { id, group, section, says, ...(await testClause(clause, context)) }
      results[index] = result
      onResult?.(result, chosen.length)
    }
  }
  await Promise.all(Array.from({ length: AT_ONCE }, work))
  return results
}

async function testClause(clause: Clause, context: CheckContext): Promise<Outcome> {
  try {
    await clause.check(context)
    return { outcome: 'met' }
  } catch (error) {
    context.target.signal.throwIfAborted()
    if (error instanceof Finding) return { outcome: 'finding', asked: error.asked, expected: brief(error.expected), came: brief(error.came) }
    if (error instanceof LeftOut) return { outcome: 'left out', reason: error.message }
    throw new Error(`${clause.id}: ${messageOf(error)}`, { cause: error })
  }
}
