/** What every transport's link shares: how its frames settle. */

import { createQueue } from '../async/queue.ts'
import { child } from '../async/signals.ts'
import type { Frame } from '../protocol/frames.ts'

/**
 * A generator's frames, ended from outside. An abort of `outer` rejects the pending `next()`, or else the following one, with its reason; `return()`
 * resolves it. Either aborts the generator's own signal, which must release what it holds.
 */
export function framesFrom(
  outer: AbortSignal,
  read: (signal: AbortSignal) => AsyncGenerator<readonly Frame[], void>
): AsyncIterableIterator<readonly Frame[], undefined> {
  const life = child(outer)
  const source = read(life.signal)
  // A generator's own return() and throw() wait behind its pending next(), which waits for the network: the queue settles at once.
  const queue = createQueue<readonly Frame[]>()

  function finish(error?: unknown): void {
    queue.end(error)
    life.release()
    life.abort()
    source.return().catch(() => {}) // what failed while letting go concerns nobody any more
  }
  life.signal.addEventListener('abort', () => finish(life.signal.reason))

  return {
    next() {
      if (outer.aborted) finish(outer.reason)
      const result = queue.next()
      source.next().then(({ done, value }) => (done ? finish() : queue.push(value)), finish)
      return result
    },
    async return() {
      finish()
      return { done: true, value: undefined }
    },
    [Symbol.asyncIterator]() {
      return this
    }
  }
}

/** A URL for an error message: a query may hold what isn't for a log. */
export const place = ({ origin, pathname }: URL): string => origin + pathname
