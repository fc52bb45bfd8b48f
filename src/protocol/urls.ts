/** The URLs of the resources of PROTOCOL.md §2. */

import { MAX_LIST_CHARS } from './rules.ts'

export interface Asked {
  job: string
  /** The cursor to read after, or `tail`; absent: from the oldest event retained. */
  after?: string | undefined
}

/** `{base}/{path}`. The base's own query is kept. A job's resource is its id; `cancel` after it is the resource that cancels it. */
export function resourceUrl(base: URL, ...path: string[]): URL {
  const url = new URL(base)
  url.pathname = [url.pathname.replace(/\/+$/, ''), ...path.map(encodeURIComponent)].join('/')
  url.hash = ''
  return url
}

/** The only member of a list, or `undefined` where the list has none or several. */
export const single = <J>(jobs: readonly J[]): J | undefined => (jobs.length === 1 ? jobs[0] : undefined)

/** Whether the id has a slash or backslash: intermediaries may decode or refuse it in a path. */
export const hasSlash = (job: string): boolean => /[/\\]/.test(job)

/** The URL of the jobs' events. A single job has its own resource, unless its id has a slash. `windowBytes` limits what the server sends ahead. */
export function eventsUrl(base: URL, jobs: readonly Asked[], windowBytes: number = Infinity): URL {
  const only = single(jobs)
  const isOwn = only && !hasSlash(only.job)
  const url = isOwn ? resourceUrl(base, only.job, 'events') : resourceUrl(base, 'events')
  // Not `url.searchParams`: each of its changes writes the whole URL anew.
  const query = new URLSearchParams(url.search)
  for (const { job, after = '' } of jobs) {
    if (!isOwn) query.append('job', job)
    if (!only || after) query.append('after', after)
  }
  if (windowBytes <= Number.MAX_SAFE_INTEGER) query.append('window', `${windowBytes}`)
  url.search = `${query}`
  return url
}

/** Splits the jobs into lists that are short enough for one URL each (PROTOCOL.md §2). */
export function listsOf<J extends Asked>(jobs: readonly J[], maxChars: number = MAX_LIST_CHARS): J[][] {
  let list: J[] = []
  let chars = 0
  const lists = [list]
  for (const each of jobs) {
    const { job, after = '' } = each
    // A job without a cursor counts as if it had one of the usual length: the same list may be requested again once there is one.
    const more = `&${new URLSearchParams({ job, after: after.padEnd(24, '-') })}`.length
    chars += more
    if (chars > maxChars && list.length > 0) {
      list = []
      lists.push(list)
      chars = more
    }
    list.push(each)
  }
  return lists
}

/** A URL without its query, for an error message: a query may hold secrets. A response that a script has made has an empty URL. */
export function place(url: string | URL): string {
  if (!url) return ''
  const { origin, pathname } = new URL(url)
  return origin + pathname
}
