/** What `useJob` follows: one job, for one component. */

import type { RefObject } from 'react'
import { type Client, initialState, type Job, type JobEvent, type JobState, JobtailError } from '../index.ts'
import { eachFrame, type Subscribe } from './frames.ts'
import { type Place, readEvents } from './read-events.ts'
import type { UseJob, UseJobOptions } from './use-job.ts'

/** What `useSyncExternalStore` takes: functions that stay the same. */
export interface Store<E extends object> {
  state(): UseJob<E>
  /** What a server shows, and so the first render in the page. The job may be further by then. */
  atServer(): UseJob<E>
  subscribe: Subscribe
  /** Calls `onEvent` too. */
  subscribeWithEvents: Subscribe
}

/** The options of the latest render. */
type Latest<E extends object> = RefObject<UseJobOptions<E>>

const nothing = Object.freeze({
  ...initialState<never>(),
  isPending: false,
  cancel: async () => {
    throw new JobtailError('bad-request', 'cancel: expected a job, got none')
  }
})

/** The store where there is no job. */
export const none: Store<never> = { state: () => nothing, atServer: () => nothing, subscribe: () => () => {}, subscribeWithEvents: () => () => {} }

/** `latest` has the callbacks; `initial` and `after` are those of the first render with this id. */
export function createStore<E extends object>(client: Client, id: string, { initial, after }: UseJobOptions<E>, latest: Latest<E>): Store<E> {
  const job = client.job<E>(id, { initial })
  const atServer = show(initialState<E>(initial?.id === id ? initial : undefined), job.cancel)
  const place: Place = { after }
  let problem: JobtailError | undefined
  let seen: JobState<E> | undefined
  let shown = atServer
  const tellEnd = endOf(job, latest, () => !!(place.isAtEnd || problem))

  const subscribe: Subscribe = (listener) => {
    tellEnd()
    const watch: Subscribe = (tell) =>
      job.subscribe(() => {
        tellEnd()
        tell()
      })
    return eachFrame(watch, listener)
  }
  return {
    state() {
      if (seen !== job.state) {
        seen = job.state
        shown = show(seen, job.cancel, problem)
      }
      return shown
    },
    atServer: () => atServer,
    subscribe,
    subscribeWithEvents(listener) {
      const leave = subscribe(listener)
      const onEvent = (event: JobEvent<E>): void => call(latest.current.onEvent, event)
      const stop = readEvents<E>(client, id, place, onEvent, (error) => {
        problem = error as JobtailError | undefined // as: delivery fails with no other
        if (error) seen = undefined
        listener()
        tellEnd()
      })
      return () => {
        leave()
        stop?.()
      }
    }
  }
}

const show = <E extends object>(state: JobState<E>, cancel: () => Promise<void>, problem?: JobtailError): UseJob<E> => {
  const error = state.error ?? problem
  return Object.freeze({ ...state, error, isPending: !error && state.status !== 'succeeded', cancel })
}

/** Returns a function that calls `onEnd`, once, where the job has ended. `areRead`: whether there are no more events for `onEvent`. */
function endOf<E extends object>(job: Job<E>, latest: Latest<E>, areRead: () => boolean): () => void {
  let isTold = false
  return () => {
    const { onEvent, onEnd } = latest.current
    const isOver = /^[sfc]/.test(job.state.status) // succeeded, failed, cancelled
    if (isTold || !isOver || (onEvent && !areRead())) return
    isTold = true
    call(onEnd, job.state)
  }
}

/** Calls an application's callback. What it throws is reported as an uncaught error, and has no other effect. */
function call<T>(callback: ((value: T) => void) | undefined, value: T): void {
  try {
    callback?.(value)
  } catch (error) {
    reportError(error)
  }
}
