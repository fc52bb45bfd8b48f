/** Where the resources of PROTOCOL.md §2 are, below `{base}`. */

export interface Asked {
  job: string
  /** A cursor, or `tail`; absent: from the oldest retained. */
  after?: string
}

/** `{base}/{path}`, keeping the base's own query. */
function below(base: URL, path: string): URL {
  const url = new URL(base)
  url.pathname = `${url.pathname.replace(/\/+$/, '')}/${path}`
  url.hash = ''
  return url
}

export const jobUrl = (base: URL, job: string): URL => below(base, encodeURIComponent(job))

export const cancelUrl = (base: URL, job: string): URL => below(base, `${encodeURIComponent(job)}/cancel`)

/** The events of one job (its own resource) or of several. `withCursors: false` leaves a single job's cursor to the header. */
export function eventsUrl(base: URL, jobs: readonly Asked[], withCursors = true): URL {
  const only = jobs.length === 1 ? jobs[0] : undefined
  const url = below(base, only ? `${encodeURIComponent(only.job)}/events` : 'events')
  if (only) {
    if (only.after !== undefined && withCursors) url.searchParams.append('after', only.after)
    return url
  }
  for (const { job, after = '' } of jobs) {
    url.searchParams.append('job', job)
    url.searchParams.append('after', after)
  }
  return url
}
