/** The jobs that a check uses: named ones, or ones that it starts. */

import { delay } from '../../async/signals.ts'
import { isTerminal } from '../../protocol/rules.ts'
import { resourceUrl } from '../../protocol/urls.ts'
import { LeftOut } from './finding.ts'
import { type CheckTarget, type Exchange, exchange, type Fields, isFields } from './http.ts'

export interface JobsOptions {
  /** The id of a job that has ended. */
  job?: string | undefined
  /** The id of a job that runs for another half a minute. */
  running?: string | undefined
  /** The id of another such job, which will be cancelled. */
  cancellable?: string | undefined
  /** The JSON input of the jobs to start. Default: `{}` where no job is named; else none is started. */
  input?: string | undefined
}

export interface Jobs {
  finished?: string
  running?: string
  cancellable?: string
  /** Why a job is missing. */
  why?: string
  /** The request that started the first job. */
  start?: { key: string; input: string; exchange: Exchange }
  /** The ids of all jobs that the check has started, to be cancelled at the end. */
  started: Set<string>
}

/** How long a started job may take to end by itself before it is cancelled. */
const SETTLE_MS = 2000
const POLL_MS = 100

/** Whether a check starts jobs: where none is named, or where an input is given. */
export const willStart = ({ job, running, cancellable, input }: JobsOptions): boolean =>
  input !== undefined || (job === undefined && running === undefined && cancellable === undefined)

/** Finds the jobs to use. Starts those that aren't named, unless jobs are named and no input is given. */
export async function findJobs(target: CheckTarget, { job, running, cancellable, input }: JobsOptions, started: Set<string>): Promise<Jobs> {
  const jobs: Jobs = { started }
  if (job !== undefined) jobs.finished = job
  if (running !== undefined) jobs.running = running
  if (cancellable !== undefined) jobs.cancellable = cancellable
  if (!willStart({ job, running, cancellable, input })) return { ...jobs, why: 'no such job was named (--job, --running, --cancellable)' }

  const body = input ?? '{}'
  const key = newKey()
  const exchange = await start(target, key, body)
  jobs.start = { key, input: body, exchange }
  const first = startedBy(exchange)
  if (first === undefined)
    return { ...jobs, why: `no job could be started: POST was answered with ${headOf(exchange)}; name jobs with --job, --running and --cancellable` }
  jobs.started.add(first)
  for (const name of ['running', 'cancellable'] as const) {
    const id = jobs[name] ?? startedBy(await start(target, newKey(), body))
    if (id === undefined) continue
    jobs[name] = id
    if (id !== running && id !== cancellable) jobs.started.add(id)
  }
  if (job === undefined && (await finish(target, first))) jobs.finished = first
  return { ...jobs, why: 'none of the started jobs could be used for it' }
}

/** An answer's status, with its redirect target or content type. */
const headOf = ({ status, headers }: Exchange): string => [status, headers.get('location') ?? headers.get('content-type')].filter(Boolean).join(' ')

export const newKey = (): string => `jobtail-check-${crypto.randomUUID()}`

export const start = (target: CheckTarget, key: string, body: string, headers: Record<string, string> = {}): Promise<Exchange> =>
  exchange(target, { method: 'POST', url: target.base, headers: { 'content-type': 'application/json', 'idempotency-key': key, ...headers }, body })

/** The id of the job that an answer says was started; `undefined` where it names none. */
export function startedBy({ status, json }: Exchange): string | undefined {
  return status >= 200 && status < 300 && isFields(json) && typeof json.id === 'string' ? json.id : undefined
}

export const cancel = (target: CheckTarget, job: string, headers: Record<string, string> = {}): Promise<Exchange> =>
  exchange(target, { method: 'POST', url: resourceUrl(target.base, job, 'cancel'), headers })

async function statusOf(target: CheckTarget, job: string): Promise<string> {
  const { json } = await exchange(target, { url: resourceUrl(target.base, job), headers: { accept: 'application/json' } })
  const { status } = isFields(json) ? json : ({} as Fields) // as: an object without fields
  return String(status)
}

/** Waits for the job's end, and cancels it after `SETTLE_MS`. Resolves with whether it has ended. */
async function finish(target: CheckTarget, job: string): Promise<boolean> {
  if (await hasEnded(target, job, SETTLE_MS)) return true
  await cancel(target, job)
  return hasEnded(target, job, target.limitMs)
}

async function hasEnded(target: CheckTarget, job: string, withinMs: number): Promise<boolean> {
  const began = performance.now()
  for (;;) {
    if (isTerminal(await statusOf(target, job))) return true
    if (performance.now() - began > withinMs) return false
    await delay(POLL_MS, target.signal)
  }
}

/** Cancels the jobs that the check has started. Ignores failures: the check is over. */
export async function cancelStarted(target: CheckTarget, started: ReadonlySet<string>): Promise<void> {
  await Promise.allSettled([...started].map((job) => cancel(target, job)))
}

/** Returns the running job's id. Throws `LeftOut` where there is none, or where it has ended. */
export async function stillRunning(target: CheckTarget, job: string | undefined, why: string | undefined): Promise<string> {
  if (job === undefined) throw new LeftOut(why ?? 'no running job is known')
  if (isTerminal(await statusOf(target, job))) throw new LeftOut('the running job has ended; name one that runs for another half a minute')
  return job
}
