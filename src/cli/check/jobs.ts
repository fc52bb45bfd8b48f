/** The jobs that a check looks at: those it was told of, or those it starts. */

import { delay } from '../../async/signals.ts'
import { isTerminal } from '../../protocol/rules.ts'
import { resourceUrl } from '../../protocol/urls.ts'
import { LeftOut } from './clause.ts'
import { ask, type Exchange, type Fields, isFields, type Reach } from './http.ts'

export interface JobsOptions {
  /** A finished job. */
  job?: string | undefined
  /** One that goes on for a while. */
  running?: string | undefined
  /** One that goes on for a while, and may be cancelled. */
  cancellable?: string | undefined
  /** JSON: what jobs are started with. Default `{}`, where none is named. */
  input?: string | undefined
}

export interface Jobs {
  finished?: string
  running?: string
  cancellable?: string
  /** Why one is missing. */
  why?: string
  /** Of the first job that was started here. */
  start?: { key: string; input: string; exchange: Exchange }
  /** Everything that was started here, to be cancelled in the end. */
  started: Set<string>
}

/** A job that lasts is given so long to end by itself before it is cancelled. */
const SETTLE_MS = 2000
const POLL_MS = 100

/** Whether jobs are started: where none is named, or where there is something to start them with. */
export const willStart = ({ job, running, cancellable, input }: JobsOptions): boolean =>
  input !== undefined || (job === undefined && running === undefined && cancellable === undefined)

/** Names jobs in these words; starts those that are not named, unless only named ones are to be looked at. */
export async function findJobs(reach: Reach, { job, running, cancellable, input }: JobsOptions, started: Set<string>): Promise<Jobs> {
  const jobs: Jobs = { started }
  if (job !== undefined) jobs.finished = job
  if (running !== undefined) jobs.running = running
  if (cancellable !== undefined) jobs.cancellable = cancellable
  if (!willStart({ job, running, cancellable, input })) return { ...jobs, why: 'no such job was named' }

  const body = input ?? '{}'
  const key = newKey()
  const exchange = await start(reach, key, body)
  jobs.start = { key, input: body, exchange }
  const first = startedBy(exchange)
  if (first === undefined)
    return { ...jobs, why: `no job could be started: POST was answered with ${headOf(exchange)}; name jobs with --job, --running and --cancellable` }
  jobs.started.add(first)
  for (const name of ['running', 'cancellable'] as const) {
    const id = jobs[name] ?? startedBy(await start(reach, newKey(), body))
    if (id === undefined) continue
    jobs[name] = id
    if (id !== running && id !== cancellable) jobs.started.add(id)
  }
  if (job === undefined && (await finish(reach, first))) jobs.finished = first
  return { ...jobs, why: 'none of the jobs that were started is such a one' }
}

/** How an answer begins: what it is, or where it leads. */
const headOf = ({ status, headers }: Exchange): string => [status, headers.get('location') ?? headers.get('content-type')].filter(Boolean).join(' ')

export const newKey = (): string => `jobtail-check-${crypto.randomUUID()}`

export const start = (reach: Reach, key: string, body: string, headers: Record<string, string> = {}): Promise<Exchange> =>
  ask(reach, { method: 'POST', url: reach.base, headers: { 'content-type': 'application/json', 'idempotency-key': key, ...headers }, body })

/** The id of a job that was started; `undefined` where the answer names none. */
export function startedBy({ status, json }: Exchange): string | undefined {
  return status >= 200 && status < 300 && isFields(json) && typeof json.id === 'string' ? json.id : undefined
}

export const cancel = (reach: Reach, job: string, headers: Record<string, string> = {}): Promise<Exchange> =>
  ask(reach, { method: 'POST', url: resourceUrl(reach.base, job, 'cancel'), headers })

async function statusOf(reach: Reach, job: string): Promise<string> {
  const { json } = await ask(reach, { url: resourceUrl(reach.base, job), headers: { accept: 'application/json' } })
  const { status } = isFields(json) ? json : ({} as Fields) // as: no fields
  return String(status)
}

/** Resolves with true once it has ended, by itself or cancelled. */
async function finish(reach: Reach, job: string): Promise<boolean> {
  if (await hasEnded(reach, job, SETTLE_MS)) return true
  await cancel(reach, job)
  return hasEnded(reach, job, reach.limitMs)
}

async function hasEnded(reach: Reach, job: string, withinMs: number): Promise<boolean> {
  const began = performance.now()
  for (;;) {
    if (isTerminal(await statusOf(reach, job))) return true
    if (performance.now() - began > withinMs) return false
    await delay(POLL_MS, reach.signal)
  }
}

/** Ends what was started here. Whether that succeeds is nobody's concern any more. */
export async function cancelStarted(reach: Reach, started: ReadonlySet<string>): Promise<void> {
  await Promise.allSettled([...started].map((job) => cancel(reach, job)))
}

/** The running job; left out where there is none, or it has ended meanwhile. */
export async function stillRunning(reach: Reach, job: string | undefined, why: string | undefined): Promise<string> {
  if (job === undefined) throw new LeftOut(why ?? 'no running job is known')
  if (isTerminal(await statusOf(reach, job))) throw new LeftOut('the running job has ended: one that goes on for half a minute is needed')
  return job
}
