/** jobtail/rxjs: a subscription's events, or a job's states, as an observable that RxJS takes. */

import type { Job, JobEvent, JobState, Subscription } from './index.ts'

declare global {
  interface SymbolConstructor {
    /** By this an interop observable is known; RxJS declares it just so. */
    readonly observable: symbol
  }
}

/** Who is told. */
export interface JobObserver<T> {
  /** A value. */
  next?(value: T): void
  /** Following has failed for good. Nothing comes afterwards. */
  error?(error: unknown): void
  /** The job has ended. Nothing comes afterwards. */
  complete?(): void
}

/** An interop observable: `from(…)` of RxJS takes it. */
export interface JobObservable<T> {
  /** Starts to tell the observer. `unsubscribe` ends that at once: nothing is told any more, and what was followed for it is let go. */
  subscribe(observer: JobObserver<T>): { unsubscribe(): void }
  /** The same object. */
  [Symbol.observable](): JobObservable<T>
}

/** Tells the observer from now on, and returns what ends that. */
type Tell<T> = (observer: JobObserver<T>) => () => void

/**
 * Every event of a subscription, as its loop gets them: it can be subscribed to once, and `unsubscribe` closes the subscription. `from(subscription)` itself
 * would go on after `unsubscribe` until the next event. An abort, and failed delivery, are errors.
 */
export function toObservable<E>(source: Subscription<E>): JobObservable<JobEvent<E>>
/** A job's state now, and each one after it, until the job has ended. It may be subscribed to any number of times. */
export function toObservable<E>(source: Job<E>): JobObservable<JobState<E>>
export function toObservable(source: Subscription | Job): JobObservable<JobEvent> | JobObservable<JobState> {
  return Symbol.asyncIterator in source ? observable(eventsOf(source)) : observable(statesOf(source))
}

function observable<T>(tell: Tell<T>): JobObservable<T> {
  const made = { subscribe: (observer: JobObserver<T>) => ({ unsubscribe: tell(observer) }) }
  const self = (): JobObservable<T> => made as JobObservable<T> // as: TypeScript does not see the computed keys
  // RxJS looks for the symbol where there was one as it was loaded, and for the text otherwise.
  for (const key of [Symbol.observable ?? '@@observable', '@@observable']) Object.assign(made, { [key]: self })
  return self()
}

const eventsOf =
  (subscription: Subscription): Tell<JobEvent> =>
  (observer) => {
    let isOver = false
    let mine: AsyncIterator<JobEvent> | undefined
    const read = async (): Promise<void> => {
      try {
        const iterator = subscription[Symbol.asyncIterator]() // throws where another observer has it, whose subscription then stays open
        mine = iterator
        for await (const event of { [Symbol.asyncIterator]: () => iterator }) {
          if (isOver) return
          observer.next?.(event)
        }
        if (!isOver) observer.complete?.()
      } catch (error) {
        if (!isOver) observer.error?.(error)
      }
    }
    void read()
    return () => {
      isOver = true
      mine?.return?.()
    }
  }

const statesOf =
  (job: Job): Tell<JobState> =>
  (observer) => {
    let told: JobState | undefined
    let isOver = false
    const look = (): void => {
      const { state } = job
      const isClosed = state.connection.phase === 'closed'
      if (isClosed) leave()
      if (state !== told) observer.next?.(state)
      told = state
      if (!isClosed || isOver) return
      if (/^(succeeded|failed|cancelled)$/.test(state.status)) observer.complete?.()
      else job.result.catch((error) => isOver || observer.error?.(error))
    }
    const leave = job.subscribe(look)
    look()
    return () => {
      isOver = true
      leave()
    }
  }
