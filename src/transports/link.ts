/** What every transport's link shares: how its frames settle, and how an error is addressed. */

import { createQueue } from '../async/queue.ts'
import { TransportError } from '../errors.ts'
import type { ErrorControl, Frame, Problem } from '../protocol/frames.ts'
import { MalformedFrame } from '../protocol/parse.ts'
import type { OpenRequest } from '../types.ts'

/**
 * A generator's frames, ended from outside. An abort of `outer` rejects the pending `next()`, or else the following one, with its reason; `return()`
 * resolves it. Either aborts the generator's own signal, which must release what it holds. Malformed frames come out as `protocol` failures.
 */
export function framesFrom(
  outer: AbortSignal,
  read: (signal: AbortSignal) => AsyncGenerator<readonly Frame[], void>
): AsyncIterableIterator<readonly Frame[], undefined> {
  const life = new AbortController()
  const source = read(life.signal)
  // A generator's own return() and throw() wait behind its pending next(), which waits for the network: the queue settles at once.
  const queue = createQueue<readonly Frame[]>()
  let started = false

  function finish(...error: [unknown?]): void {
    outer.removeEventListener('abort', abort)
    queue.end(...error)
    life.abort(outer.reason)
    source.return().catch(() => {}) // what failed while letting go concerns nobody any more
  }
  const abort = (): void => finish(outer.reason)

  return {
    next() {
      if (!started) {
        started = true
        if (outer.aborted) abort()
        else outer.addEventListener('abort', abort)
      }
      const result = queue.next()
      source.next().then(
        ({ done, value }) => (done ? finish() : queue.push(value)),
        (error) => finish(error instanceof MalformedFrame ? new TransportError('protocol', error.message, { cause: error }) : error)
      )
      return result
    },
    return() {
      started = true
      finish()
      return Promise.resolve({ done: true, value: undefined })
    },
    [Symbol.asyncIterator]() {
      return this
    }
  }
}

/** A problem as a frame: about the one job asked for where its status can only mean that job, about all of them otherwise (PROTOCOL.md §7). */
export function errorFrame(problem: Problem, jobs: OpenRequest['jobs']): ErrorControl {
  const [only, ...others] = jobs
  const aboutJob = only && others.length === 0 && [403, 404, 410].includes(problem.status)
  return { control: 'error', ...(aboutJob ? { job: only.job } : {}), ...problem }
}

/** A URL for an error message: a query may hold what isn't for a log. */
export const place = ({ origin, pathname }: URL): string => origin + pathname
