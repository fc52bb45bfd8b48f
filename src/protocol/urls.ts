/** Where the resources of PROTOCOL.md §2 are, below `{base}`. */

export interface Asked {
  job: string
  /** A cursor, or `tail`; absent: from the oldest retained. */
  after?: string
}

/** `{base}/{path}`, keeping the base's own query. */
function below(base: URL, ...path: string[]): URL {
  const url = new URL(base)
  url.pathname = [url.pathname.replace(/\/+$/, ''), ...path.map(encodeURIComponent)].join('/')
  url.hash = ''
  return url
}

export const jobUrl = (base: URL, job: string): URL => below(base, job)

export const cancelUrl = (base: URL, job: string): URL => below(base, job, 'cancel')

/** The events of one job (its own resource) or of several. */
export function eventsUrl(base: URL, jobs: readonly Asked[]): URL {
  const [first, ...others] = jobs
  const isSingle = first && others.length === 0
  const url = isSingle ? below(base, first.job, 'events') : below(base, 'events')
  for (const { job, after } of jobs) {
    if (!isSingle) url.searchParams.append('job', job)
    if (!isSingle || after) url.searchParams.append('after', after ?? '')
  }
  return url
}
