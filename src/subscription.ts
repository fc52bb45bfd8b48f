/** One subscription, as an application has it: the iterator, the state, and the result. */

import { createFollowing, type Following, type SubscriptionOptions } from './following.ts'
import { TAIL } from './protocol/rules.ts'
import { createStore } from './state.ts'
import type { Subscription } from './types.ts'

/** A subscription, as the client has it. */
export interface Subscribed extends Pick<Following, 'learn' | 'retry'> {
  subscription: Subscription
}

const asyncDispose: typeof Symbol.asyncDispose = Symbol.asyncDispose ?? Symbol.for('Symbol.asyncDispose')

/** Makes a subscription. It is inert until somebody reads. */
export function createSubscription(options: SubscriptionOptions): Subscribed {
  const { jobId, after, wire, life, emit } = options
  const store = createStore({ lastEventId: after === TAIL ? undefined : after }, (event) => emit({ type: 'job', job: subscription, event }))
  const { loop, result, reconcile, close, learn, retry } = createFollowing(options, store)
  let isIterated = false

  // as: the type parameter only says what the application sends; and TypeScript does not see the computed key
  const subscription = {
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
  return { subscription, learn, retry }
}
