/** What the transports over `fetch` have in common: the URL of the events, and lists of jobs that are too long for one URL. */

import { child } from '../async/signals.ts'
import { isTransportError } from '../errors.ts'
import type { ErrorControl } from '../protocol/frames.ts'
import { SHORT_LIST_CHARS } from '../protocol/rules.ts'
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

type Read = (request: OpenRequest) => AsyncGenerator<Batch, void>

/** Makes a link of as many readings as its jobs need URLs. */
export const splitOverLists =
  (read: Read) =>
  (request: OpenRequest): Link => {
    const lists = listsOf(request.jobs)
    const readList: Read = (request) => (listsOf(request.jobs, SHORT_LIST_CHARS).length > 1 ? readLong(request, read) : read(request))
    return { frames: lists.length > 1 ? merge(lists, request, readList) : readList(request) }
  }

/** Reads a long list. Where that is refused as somebody refuses a URL that is too long (RFC 9110 §15.5.15; IIS answers 404), it is read as shorter ones. */
async function* readLong(request: OpenRequest, read: Read): AsyncGenerator<Batch, void> {
  let hasBegun = false
  try {
    for await (const batch of read(request)) {
      hasBegun = true
      yield batch
    }
  } catch (error) {
    if (hasBegun || !isTransportError(error) || ![400, 404, 414, 431].includes(error.status ?? 0)) throw error
    yield* merge(listsOf(request.jobs, SHORT_LIST_CHARS), request, read)
  }
}

/** Merges several readings. The failure of one fails all; the end of the last one ends them. Each reading goes on once its batch was taken. */
async function* merge(lists: readonly OpenRequest['jobs'][], request: OpenRequest, read: Read): AsyncGenerator<Batch, void> {
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
