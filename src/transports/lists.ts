/** What the transports over `fetch` have in common: the URL of the events, and lists of jobs that are too long for one URL. */

import { child } from '../async/signals.ts'
import type { ErrorControl } from '../protocol/frames.ts'
import { type Asked, eventsUrl, hasSlash, listsOf, single } from '../protocol/urls.ts'
import type { Batch, Link, OpenRequest } from '../types.ts'
import { type Answer, fetchReading, type ReadingOptions } from './http.ts'

/** The content type of a JSON reading. */
export const JSON_TYPE = 'application/json'

/**
 * Requests the jobs' events. The URL of a single job is constant but for its cursor. An id with a slash is requested as a list, whose
 * cursor is in the URL: not every server reads the header for a list.
 */
export function readEvents(
  request: Omit<OpenRequest, 'jobs'>,
  jobs: readonly Asked[],
  { via, ...options }: Omit<ReadingOptions, 'url' | 'after' | 'isFresh'>
): Promise<Answer | ErrorControl> {
  const { base, windowBytes, isFresh } = request
  const only = single(jobs)
  const url = eventsUrl(base, only ? [{ job: only.job }] : jobs, windowBytes)
  return fetchReading(request, { ...options, url, isFresh, ...(only && { after: only.after, via: hasSlash(only.job) ? undefined : via }) })
}

/** Makes a link of as many readings as its jobs need URLs. */
export const splitOverLists =
  (read: (request: OpenRequest) => AsyncGenerator<Batch, void>) =>
  (request: OpenRequest): Link => {
    const lists = listsOf(request.jobs)
    return { frames: lists.length > 1 ? merge(lists, request, read) : read(request) }
  }

/** Merges several readings. The failure of one fails all; the end of the last one ends them. Each reading goes on once its batch was taken. */
async function* merge(
  lists: readonly OpenRequest['jobs'][],
  request: OpenRequest,
  read: (request: OpenRequest) => AsyncGenerator<Batch, void>
): AsyncGenerator<Batch, void> {
  const life = child(request.signal)
  const windowBytes = Math.ceil(request.windowBytes / lists.length)
  const next = async (reading: AsyncGenerator<Batch, void>) => ({ reading, result: await reading.next() })
  const readings = lists.map((jobs) => read({ ...request, jobs, signal: life.signal, windowBytes }))
  const pending = new Map(readings.map((each) => [each, next(each)]))
  try {
    while (pending.size > 0) {
      const { reading, result } = await Promise.race(pending.values())
      pending.delete(reading) // it is put at the end, so that each has its turn
      if (result.done) continue
      yield result.value
      pending.set(reading, next(reading))
    }
  } finally {
    life.abort()
    life.release()
    for (const reading of readings) void reading.return()
  }
}
