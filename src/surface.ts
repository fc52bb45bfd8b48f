/** What an application has of a subscription: the iterator, the state, and the result. */

import type { JobReaderOptions } from './job-reader.ts'
import type { Loop } from './loop.ts'
import type { Store } from './state.ts'
import type { Subscription } from './types.ts'

/** What it is the surface of. */
export interface Inside {
  store: Store
  loop: Loop
  /** The job's result. Once it was asked for, the job is followed to its end. */
  result(): Promise<unknown>
  /** Called when a listener of the state has come or gone. */
  reconcile(): void
  /** Ends the loop at once, without what it holds. A result that is still pending rejects. */
  close(): void
}

const asyncDispose: typeof Symbol.asyncDispose = Symbol.asyncDispose ?? Symbol.for('Symbol.asyncDispose')

export function createSurface(
  { jobId, life, wire }: JobReaderOptions & { life: AbortSignal },
  { store, loop, result, reconcile, close }: Inside
): Subscription {
  let isIterated = false

  // as: the type parameter only says what the application sends; and TypeScript does not see the computed key
  return {
    jobId,
    get state() {
      return store.state
    },
    onChange(listener: () => void) {
      const remove = store.onChange(listener)
      reconcile()
      return () => {
        remove()
        reconcile()
      }
    },
    get result() {
      return result()
    },
    cancel: async () => wire().operations.cancel(jobId, life),
    close,
    [asyncDispose]: async () => close(),
    [Symbol.asyncIterator]() {
      if (isIterated) throw new TypeError(`the subscription to job ${jobId} is being iterated already: subscribe again`)
      isIterated = true
      return loop.iterator
    }
  } as object as Subscription
}
