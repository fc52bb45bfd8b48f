/** Where the resources of PROTOCOL.md §2 are, below `{base}`. */

import { MAX_LIST_CHARS } from './rules.ts'

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

/** Whether servers in between may decode the id, or refuse it, where it stands in a path. */
export const hasSlash = (job: string): boolean => /[/\\]/.test(job)

/** The events of one job (its own resource, where its id passes in a path) or of several, no more than `windowBytes` under way. */
export function eventsUrl(base: URL, jobs: readonly Asked[], windowBytes: number = Infinity): URL {
  const only = single(jobs)
  const isOwn = only && !hasSlash(only.job)
  const url = isOwn ? resourceUrl(base, only.job, 'events') : resourceUrl(base, 'events')
  for (const { job, after = '' } of jobs) {
    if (!isOwn) url.searchParams.append('job', job)
    if (!only || after) url.searchParams.append('after', after)
  }
  if (windowBytes <= Number.MAX_SAFE_INTEGER) url.searchParams.append('window', `${windowBytes}`)
  return url
}

/** The jobs in lists that are short enough for a URL each (PROTOCOL.md §2). */
export function listsOf<J extends Asked>(jobs: readonly J[]): J[][] {
  let list: J[] = []
  let chars = 0
  const lists = [list]
  for (const each of jobs) {
    const { job, after = '' } = each
    // A cursor of usual length where none is known yet: the list may be asked for again.
    const more = `&${new URLSearchParams({ job, after: after.padEnd(24, '-') })}`.length
    if (list.length > 0 && chars + more > MAX_LIST_CHARS) {
      list = []
      lists.push(list)
      chars = 0
    }
    chars += more
    list.push(each)
  }
  return lists
}

/** A URL for an error message: a query may hold what isn't for a log. The answers that a script makes have none. */
export function place(url: string | URL): string {
  if (!url) return ''
  const { origin, pathname } = new URL(url)
  return origin + pathname
}
