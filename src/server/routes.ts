import { isCursor, isJobId } from '../protocol/rules.ts'
import type { Asked } from '../protocol/urls.ts'
import { badRequest, notFound } from './http-error.ts'

export type Route = { to: 'start' } | { to: 'snapshot'; job: string } | { to: 'cancel'; job: string } | { to: 'events'; job?: string }

/** A path of the characters that RFC 3986 §3.3 allows. Also takes a malformed percent-encoding, which `findRoute` then answers with 400 rather than 404. */
const PATH = /^(?:\/(?:[\w.~!$&'()*+,;=:@-]|%[\dA-Fa-f]{2}|%(?![\dA-Fa-f]{2}))*)+$/
/** What RFC 3986 §6.2.2 would normalise: an empty segment, a dot segment, an encoded unreserved character. */
const NOT_NORMAL = /\/\/|\/\.{1,2}(?:\/|$)|%(?:2[de]|3\d|4[1-9a-f]|5[\daf]|6[1-9a-f]|7[\dae])/i

/**
 * The path of a request target (`/jobs/42?after=…`), as it was sent. `undefined` where it isn't in normal form (RFC 3986 §6.2.2). A guard in front, in a
 * proxy or a framework, compares the path as sent: if `/x/../jobs/42` or `/%6Aobs/42` were answered as `/jobs/42`, requests could get past the guard
 * (PROTOCOL.md §8.8).
 */
export function pathOf(target: string): string | undefined {
  const end = target.search(/[?#]/)
  const path = end < 0 ? target : target.slice(0, end)
  return isNormalPath(path) ? path : undefined
}

export const isNormalPath = (path: string): boolean => PATH.test(path) && !NOT_NORMAL.test(path)

/** The part of a path below `basePath`: `''` or a path. `undefined` outside `basePath`. */
export function pathBelow(basePath: string, path: string | undefined): string | undefined {
  if (!path?.startsWith(basePath)) return undefined
  const rest = path.slice(basePath.length)
  return rest === '' || rest.startsWith('/') ? rest : undefined
}

/** Which resource of PROTOCOL.md §2 a path below `basePath` names. A trailing slash is ignored. Throws an `HttpError`: 404, or 400 for a bad job id. */
export function findRoute(path: string): Route {
  const [, first, second, ...others] = path.replace(/\/$/, '').split('/')
  if (others.length > 0) throw notFound()
  if (first === undefined) return { to: 'start' }
  if (first === 'events' && second === undefined) return { to: 'events' }
  if (second !== undefined && second !== 'events' && second !== 'cancel') throw notFound()
  return { to: second ?? 'snapshot', job: jobFrom(first) }
}

function jobFrom(segment: string): string {
  try {
    return checkJob(decodeURIComponent(segment))
  } catch {
    throw badJob() // `decodeURIComponent` throws for a malformed percent-encoding
  }
}

const badJob = () => badRequest('job: expected an id of 1 to 256 UTF-8 bytes, percent-encoded')

/** Returns the job id. Throws an `HttpError` 400 for one that is malformed. */
export function checkJob(job: string): string {
  if (!isJobId(job)) throw badJob()
  return job
}

/** A request for one job. Throws an `HttpError` 400 for a malformed cursor. */
export function subscribeRequest(job: string, after: string | null | undefined): Asked {
  if (!after) return { job }
  if (!isCursor(after)) throw badRequest('after: expected a cursor of 1 to 128 characters of [A-Za-z0-9._:~-]')
  return { job, after }
}

/** Checks a list of jobs: each id once, and at most `maxJobs`. Throws an `HttpError` 400. */
export function checkJobs(jobs: readonly string[], maxJobs: number): void {
  jobs.forEach(checkJob)
  if (jobs.length > maxJobs) throw badRequest(`job: expected at most ${maxJobs} (maxJobsPerConnection), got ${jobs.length}`)
  if (new Set(jobs).size < jobs.length) throw badRequest('job: expected each job once, got one twice')
}

/** The jobs that a reading asks for, each with its cursor (PROTOCOL.md §2). Empty where the request names none. Throws an `HttpError` 400. */
export function subscribeRequests(route: Route & { to: 'events' }, request: Request, maxJobs: number): Asked[] {
  const query = new URL(request.url).searchParams
  const last = request.headers.get('last-event-id')
  if (route.job !== undefined) return [subscribeRequest(route.job, last || query.get('after'))]
  const jobs = query.getAll('job')
  const afters = query.getAll('after')
  checkJobs(jobs, maxJobs)
  if (afters.length > 0 && afters.length !== jobs.length)
    throw badRequest(`after: expected one for each job, empty for "from the oldest event", got ${afters.length} for ${jobs.length} jobs`)
  return jobs.map((job, index) => subscribeRequest(job, (jobs.length === 1 && last) || afters[index]))
}

/** The reader's window, `?window=`: how many bytes of events may be on their way to it (PROTOCOL.md §2). `Infinity` without one. */
export function windowBytes(request: Request): number {
  const window = new URL(request.url).searchParams.get('window')
  if (window === null) return Number.POSITIVE_INFINITY
  const bytes = Number(window)
  if (!/^\d+$/.test(window) || !isWindow(bytes)) throw badRequest('window: expected a number of bytes, an integer from 1')
  return bytes
}

export const isWindow = (value: unknown): value is number => Number.isSafeInteger(value) && Number(value) >= 1

/** How long a long poll may be held, in ms: `?wait=`, else `Prefer: wait=` (RFC 7240), in seconds, clamped to 1..55. 0 without either. */
export function waitMs(request: Request): number {
  const preferred = /(?:^|[,;\s])wait=(\d+)/i.exec(request.headers.get('prefer') ?? '')?.[1]
  const wait = new URL(request.url).searchParams.get('wait') || preferred
  if (!wait) return 0
  const seconds = Number(wait)
  if (Number.isNaN(seconds)) throw badRequest('wait: expected a number of seconds')
  return Math.min(55, Math.max(1, seconds)) * 1000
}
