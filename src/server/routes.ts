import { isCursor, isJobId } from '../protocol/rules.ts'
import type { Asked } from '../protocol/urls.ts'
import { badRequest, notFound } from './problem.ts'

export type Route = { to: 'start' } | { to: 'snapshot'; job: string } | { to: 'cancel'; job: string } | { to: 'events'; job?: string }

/** The path below `basePath`, or `undefined` outside it. */
export function pathBelow(basePath: string, pathname: string): string | undefined {
  if (!pathname.startsWith(basePath)) return undefined
  const rest = pathname.slice(basePath.length)
  return rest === '' || rest.startsWith('/') ? rest : undefined
}

/** Which resource of PROTOCOL.md §2 a path below the base names. */
export function findRoute(path: string): Route {
  const [, first, second, ...others] = path.split('/')
  if (others.length > 0) throw notFound()
  if (first === undefined || (first === '' && second === undefined)) return { to: 'start' }
  if (first === 'events' && second === undefined) return { to: 'events' }
  if (second !== undefined && second !== 'events' && second !== 'cancel') throw notFound()
  return { to: second ?? 'snapshot', job: jobFrom(first) }
}

function jobFrom(segment: string): string {
  try {
    return checkJob(decodeURIComponent(segment))
  } catch {
    throw badJob() // also for a malformed percent-encoding
  }
}

const badJob = () => badRequest('job: expected an id of 1 to 256 UTF-8 bytes, percent-encoded')

function checkJob(job: string): string {
  if (!isJobId(job)) throw badJob()
  return job
}

function ask(job: string, after: string | null | undefined): Asked {
  if (!after) return { job }
  if (!isCursor(after)) throw badRequest('after: expected a cursor of 1 to 128 of [A-Za-z0-9._:~-]')
  return { job, after }
}

/** The jobs that a reading asks for, each with its cursor (PROTOCOL.md §2). Empty only where the request names none. */
export function asked(route: Route & { to: 'events' }, request: Request, maxJobs: number): Asked[] {
  const query = new URL(request.url).searchParams
  const last = request.headers.get('last-event-id')
  if (route.job !== undefined) return [ask(route.job, last || query.get('after'))]
  const jobs = query.getAll('job').map(checkJob)
  const afters = query.getAll('after')
  if (jobs.length > maxJobs) throw badRequest(`job: expected at most ${maxJobs}, got ${jobs.length}`)
  if (new Set(jobs).size < jobs.length) throw badRequest('job: one is named twice')
  if (afters.length > 0 && afters.length !== jobs.length)
    throw badRequest(`after: expected one for each job, empty for "from the oldest", got ${afters.length} for ${jobs.length}`)
  return jobs.map((job, index) => ask(job, (jobs.length === 1 && last) || afters[index]))
}

/** How many bytes of events may be on their way to whoever asks: `?window=`; as many as there are without it (PROTOCOL.md §6). */
export function windowBytes(request: Request): number {
  const window = new URL(request.url).searchParams.get('window')
  if (window === null) return Number.POSITIVE_INFINITY
  const bytes = Number(window)
  if (!/^\d+$/.test(window) || !isWindow(bytes)) throw badRequest('window: expected bytes, an integer from 1')
  return bytes
}

export const isWindow = (value: unknown): value is number => Number.isSafeInteger(value) && Number(value) >= 1

/** How long a reading may be held: `?wait=`, else `Prefer: wait=`, in seconds, clamped to 1..55; 0 without either. */
export function waitMs(request: Request): number {
  const preferred = /(?:^|[,;\s])wait=(\d+)/i.exec(request.headers.get('prefer') ?? '')?.[1]
  const wait = new URL(request.url).searchParams.get('wait') || preferred
  if (!wait) return 0
  const seconds = Number(wait)
  if (Number.isNaN(seconds)) throw badRequest('wait: expected seconds')
  return Math.min(55, Math.max(1, seconds)) * 1000
}
