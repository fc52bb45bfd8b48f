/** One job, as one component shows it. */

import { type Client, initialState, type Job, type JobEvent, type JobSnapshot, type JobState, JobtailError } from '../index.ts'
import { eachFrame, type Store, type Subscribe } from './frames.ts'
import { type Place, readEvents } from './read-events.ts'

/** The default of `E`: the application sends no events of its own. */
// biome-ignore lint/complexity/noBannedTypes: {} is "no events of the application's own"
export type None = {}

/** What a component says of a job. */
export interface FollowOptions<E = None> {
  /** The job's snapshot from the server that rendered the page: what the first render shows, there and in the page. A snapshot of another job is ignored. */
  initial?: JobSnapshot | undefined
  /**
   * Where `onEvent` begins: after the event with this id, or with `'tail'` at what comes next; until a first event has come, that begins anew each time that
   * the job is followed again. It is read once for each id.
   * @defaultValue the oldest event that the server retains
   */
  after?: string | undefined
  /**
   * Called with each event once, in order, also after `enabled` was false meanwhile. Whether there is such a function is read once for each id; the function
   * itself at each event. What it throws is reported as an uncaught error.
   */
  onEvent?: ((event: JobEvent<E>) => void) | undefined
  /** Called once for each id, when the job has succeeded, failed or was cancelled, after the last `onEvent`. Never because a connection has ended. */
  onEnd?: ((state: JobState<E>) => void) | undefined
}

/** The job's state, and what a component needs beside it. The same object until something changes. */
export interface FollowedJob<E = None> extends JobState<E> {
  /** Whether the job's end is still awaited: false without a job, after its end, and where following it has failed for good. */
  readonly isPending: boolean
  /**
   * Asks the server to cancel the job. Resolves once the server has accepted it; `status` changes with the job's terminal event.
   * @throws JobtailError as `Job.cancel` does; `bad-request` without a job
   */
  readonly cancel: () => Promise<void>
}

/** The store of one job. */
export interface JobStore<E> extends Store<FollowedJob<E>> {
  /** As `subscribe`, and calls `onEvent`. */
  readonly subscribeWithEvents: Subscribe
}

const nothing = Object.freeze({
  ...initialState<never>(),
  isPending: false,
  cancel: async () => {
    throw new JobtailError('bad-request', 'cancel: expected a job, got none')
  }
})

/** The store where there is no job. */
export const none: JobStore<never> = { state: () => nothing, atServer: () => nothing, subscribe: () => () => {}, subscribeWithEvents: () => () => {} }

/** The options as they are now. */
interface Latest<E> {
  readonly current: FollowOptions<E>
}

/** `latest` has the callbacks; `initial` and `after` are those of the first render with this id. */
export function createJobStore<E extends object>(client: Client, id: string, { initial, after }: FollowOptions<E>, latest: Latest<E>): JobStore<E> {
  const job = client.job<E>(id, { initial })
  const atServer = show(initialState<E>(initial?.id === id ? initial : undefined), job.cancel)
  const place: Place = { after }
  let seen: JobState<E> | undefined
  let shown = atServer
  /** Where the reading is; at the end where nothing is read, `undefined` while nobody is there. */
  let reading: Place | undefined
  const tellEnd = endOf(job, latest, () => reading?.isAtEnd || reading?.error)

  const subscribe =
    (reads: boolean): Subscribe =>
    (listener) => {
      reading = reads ? place : { isAtEnd: true }
      // `onEnd` comes last: it may end the component.
      const leave = eachFrame((tell) => job.subscribe(inTurn(tell, tellEnd)), listener)
      const stop = reads && readEvents<E>(client, id, place, (event) => call(latest.current.onEvent, event), inTurn(listener, tellEnd))
      // The job may have ended before. Not at once: it may be that the component is being mounted.
      queueMicrotask(tellEnd)
      return () => {
        reading = undefined
        leave()
        if (stop) stop()
      }
    }
  return {
    state() {
      if (seen !== job.state || shown.error !== (seen.error ?? place.error)) {
        seen = job.state
        shown = show(seen, job.cancel, place.error)
      }
      return shown
    },
    atServer: () => atServer,
    subscribe: subscribe(false),
    subscribeWithEvents: subscribe(true)
  }
}

const inTurn = (first: () => void, second: () => void) => (): void => {
  first()
  second()
}

const show = <E extends object>(state: JobState<E>, cancel: () => Promise<void>, problem?: JobtailError): FollowedJob<E> => {
  const error = state.error ?? problem
  return Object.freeze({ ...state, error, isPending: !error && state.status !== 'succeeded', cancel })
}

/** Returns a function that calls `onEnd`, once, where the job has ended. `isDue`: whether somebody is there, and no more events come to `onEvent`. */
function endOf<E extends object>(job: Job<E>, latest: Latest<E>, isDue: () => unknown): () => void {
  let isTold = false
  return () => {
    const isOver = /^[sfc]/.test(job.state.status) // succeeded, failed, cancelled
    if (isTold || !isOver || !isDue()) return
    isTold = true
    call(latest.current.onEnd, job.state)
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
