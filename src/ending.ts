/** How a subscription comes to its end: its result is settled, and its loop ends. */

import { createQueue } from './async/queue.ts'
import { isJobtailError, JobFailedError, type JobtailError } from './errors.ts'
import type { JobReaderOptions } from './job-reader.ts'
import type { Loop } from './loop.ts'
import type { WireEvent } from './protocol/frames.ts'
import { isTerminal } from './protocol/rules.ts'
import { IDLE, type Store } from './state.ts'

/** The end of a subscription. */
export interface Ending {
  /** The job's result, which never causes an unhandled rejection. */
  readonly result: Promise<unknown>
  /** True once `result` is settled. */
  readonly isSettled: boolean
  /** The reader has got an event: if it is the terminal one, the result is known. `isLoop`: the loop has got it too, so it ends. */
  got(event: WireEvent, isLoop: boolean): void
  /** Delivery has failed for good: the loop throws the error after what it holds. */
  fail(error: unknown): void
  /** Ends the loop at once, without what it holds; it throws `thrown`, where that is given. A result that is still pending rejects with `error`. */
  stop(error: unknown, thrown?: unknown): void
  /** There is no end yet, after all. What is known of the job stays. */
  retry(): void
}

/** `settled` is called after each of these ends. */
export function createEnding({ jobId, known }: JobReaderOptions, store: Store, loop: Loop, settled: () => void): Ending {
  let result = pending()
  let isSettled = false

  function settle(isLoop: boolean, thrown?: unknown): void {
    isSettled = true
    if (isLoop) {
      loop.phase = 'over'
      loop.queue.end(thrown)
    }
    settled()
  }

  return {
    get result() {
      return result.promise
    },
    get isSettled() {
      return isSettled
    },
    got(event, isLoop) {
      const { type, data } = event
      if (!isTerminal(type)) return
      if (!isSettled) known.remove(jobId)
      if (type === 'succeeded') result.resolve(data)
      else result.reject(new JobFailedError(event))
      settle(isLoop)
    },
    fail(error) {
      if (loop.phase === 'over') return
      if (isJobtailError(error) && /^(unknown-job|forbidden|history-gone)$/.test(error.code)) known.remove(jobId)
      store.set({ error: error as JobtailError }) // as: delivery fails with no other
      result.reject(error)
      settle(true, error)
    },
    stop(error, thrown) {
      // A queue that has ended ends in no other way.
      if (loop.queue.length > 0) loop.queue = createQueue()
      result.reject(error)
      settle(true, thrown)
    },
    retry() {
      isSettled = false
      loop.phase = 'unread'
      result = pending()
      store.set({ error: undefined, connection: IDLE })
    }
  }
}

function pending(): PromiseWithResolvers<unknown> {
  const result = Promise.withResolvers<unknown>()
  result.promise.catch(() => {})
  return result
}
