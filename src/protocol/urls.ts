/** Where the resources of PROTOCOL.md §2 are, below `{base}`. */

export interface Asked {
  job: string
  /** A cursor, or `tail`; absent: from the oldest retained. */
  after?: string
}

/** `{base}/{path}`, keeping the base's own query: a job's is its id, and `cancel` behind it cancels. */
export function resourceUrl(base: URL, ...path: string[]): URL {
  const url = new URL(base)
  url.pathname = [url.pathname.replace(/\/+$/, ''), ...path.map(encodeURIComponent)].join('/')
  url.hash = ''
  return url
}

/** The one job of a list that has no other. */
export const single = <J>(jobs: readonly J[]): J | undefined => (jobs.length === 1 ? jobs[0] : undefined)

/** The events of one job (its own resource) or of several. */
export function eventsUrl(base: URL, jobs: readonly Asked[]): URL {
  const only = single(jobs)
  const url = only ? resourceUrl(base, only.job, 'events') : resourceUrl(base, 'events')
  for (const { job, after = '' } of jobs) {
    if (!only) url.searchParams.append('job', job)
    if (!only || after) url.searchParams.append('after', after)
  }
  return url
}

/** A URL for an error message: a query may hold what isn't for a log. The answers that a script makes have none. */
export function place(url: string | URL): string {
  if (!url) return ''
  const { origin, pathname } = new URL(url)
  return origin + pathname
}
