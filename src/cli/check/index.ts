/** Puts the clauses of PROTOCOL.md to a server, and says what came of each. */

import { messageOf } from '../../errors.ts'
import { place } from '../../protocol/urls.ts'
import { EXIT, Exit } from '../exit-codes.ts'
import { brief, type Clause, Finding, type Group, LeftOut } from './clause.ts'
import { accessClauses } from './clauses/access.ts'
import { eventClauses } from './clauses/events.ts'
import { longPollClauses } from './clauses/long-poll.ts'
import { resourceClauses } from './clauses/resources.ts'
import { shortPollClauses } from './clauses/short-poll.ts'
import { sseClauses } from './clauses/sse.ts'
import { websocketClauses } from './clauses/websocket.ts'
import { ask, type Reach } from './http.ts'
import { cancelStarted, findJobs, type JobsOptions } from './jobs.ts'
import { createWorld, type World } from './world.ts'

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
  /** Only these readings; each of them then has to be offered. Default: whatever the server offers. */
  only?: readonly Group[] | undefined
  /** An origin whose pages may use the server. */
  origin?: string | undefined
  /** Pages of every origin may. */
  anyOrigin?: boolean | undefined
  /** How long an answer may take. Default 5000. */
  limitMs?: number | undefined
  /** Clauses that are not put, by their ids. */
  skip?: readonly string[] | undefined
  signal?: AbortSignal | undefined
  route?: Reach['route']
  /** Told each result as it comes, in no order, and of how many it is one. */
  onResult?: ((result: Result, total: number) => void) | undefined
}

/** The long ones first: they wait beside all others. */
export const clauses: readonly Clause[] = [
  ...websocketClauses,
  ...sseClauses,
  ...longPollClauses,
  ...shortPollClauses,
  ...eventClauses,
  ...resourceClauses,
  ...accessClauses
]

/** Clauses put at once. */
const AT_ONCE = 8

/** @throws Exit where the server can't be reached at all; Finding where it doesn't answer what starts its jobs */
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
  const life = new AbortController()
  const reach: Reach = { base, headers, token, limitMs, route, signal: signal ? AbortSignal.any([signal, life.signal]) : life.signal }
  const started = new Set<string>()
  const chosen = clauses.filter(({ id, group }) => !skip.includes(id) && (group === 'log' || !only || only.includes(group)))
  try {
    await expectAnswer(reach)
    const jobs = await findJobs(reach, options, started)
    return { base: base.href, results: await putAll(chosen, createWorld({ ...options, reach, jobs, required: new Set(only) }), onResult) }
  } finally {
    await cancelStarted({ ...reach, signal: life.signal }, started) // not what ended the check may end this too
    life.abort(new Error('the check is over'))
  }
}

async function expectAnswer(reach: Reach): Promise<void> {
  try {
    await ask(reach, { url: reach.base })
  } catch (error) {
    if (!(error instanceof Finding)) throw error
    throw new Exit(EXIT.unavailable, `${place(reach.base)}: expected ${error.expected}, got ${error.came}`, { cause: error })
  }
}

async function putAll(chosen: readonly Clause[], world: World, onResult: CheckOptions['onResult']): Promise<Result[]> {
  const results: Result[] = []
  const queue = [...chosen.entries()]
  const work = async (): Promise<void> => {
    for (let next = queue.shift(); next; next = queue.shift()) {
      const [index, clause] = next
      const { id, group, section, says } = clause
      const result: Result = { id, group, section, says, ...(await put(clause, world)) }
      results[index] = result
      onResult?.(result, chosen.length)
    }
  }
  await Promise.all(Array.from({ length: AT_ONCE }, work))
  return results
}

async function put(clause: Clause, world: World): Promise<Outcome> {
  try {
    await clause.check(world)
    return { outcome: 'met' }
  } catch (error) {
    world.reach.signal.throwIfAborted()
    if (error instanceof Finding) return { outcome: 'finding', asked: error.asked, expected: brief(error.expected), came: brief(error.came) }
    if (error instanceof LeftOut) return { outcome: 'left out', reason: error.message }
    throw new Error(`${clause.id}: ${messageOf(error)}`, { cause: error })
  }
}
