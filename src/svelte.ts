/** `jobtail/svelte`: follows and starts jobs in components of Svelte 5. */

import { getContext, onMount, setContext, untrack } from 'svelte'
import { createSubscriber } from 'svelte/reactivity'
import { toStore } from 'svelte/store'
import type { FollowOptions, None } from './binding/job-store.ts'
import { type ClientOption, eventsSource, jobSource, jobsSource, type ListOptions, type MakeSource } from './binding/source.ts'
import { createStarter, IDLE, type Starter, type StartState } from './binding/starter.ts'
import { type Client, type JobEvent, type JobState, type KnownJob, sharedClient } from './index.ts'

const KEY = Symbol('jobtail')

/** Sets the client for this component and everything below. Call it while the component is initialised. */
export const setJobtailClient = (client: Client): Client => setContext(KEY, client)

/** Whether a job is followed. */
export interface EnabledOption {
  /**
   * `false` is as if the id were null. A function may give another value at any time.
   * @defaultValue true
   */
  enabled?: boolean | (() => boolean | undefined) | undefined
}

/** A job's id, or a function that may give another one at any time, such as `() => id`. */
export type JobId = string | null | undefined | (() => string | null | undefined)

/** Options of `useJob`. */
export interface UseJobOptions<E = None> extends FollowOptions<E>, ClientOption, EnabledOption {}

/** Options of `useJobEvents`. */
export interface UseJobEventsOptions extends ListOptions, EnabledOption {}

/** What `useJob` returns. Its members are getters: read `job.status`; taken apart they no longer change. */
export interface UseJob<E = None> {
  /** All that is known of the job. */
  readonly state: JobState<E>
  /** The job's status; `unknown` until the server has told it. */
  readonly status: JobState<E>['status']
  /** The data of the latest `progress` event; `undefined` before the first one. */
  readonly progress: JobState<E>['progress']
  /** The job's result; `undefined` unless `status` is `succeeded`. */
  readonly result: JobState<E>['result']
  /** Why the job failed or was cancelled, or why it can't be followed any more. */
  readonly error: JobState<E>['error']
  /** How the connection stands. */
  readonly connection: JobState<E>['connection']
  /** Whether the job's end is still awaited: false without a job, after its end, and where following it has failed for good. */
  readonly isPending: boolean
  /**
   * Asks the server to cancel the job. Resolves once the server has accepted it; `status` changes with the job's terminal event.
   * @throws JobtailError as `Job.cancel` does; `bad-request` without a job
   */
  cancel(): Promise<void>
}

/** What `useStartJob` returns: functions, and getters of how the latest start stands. */
export interface UseStartJob extends Starter, StartState {}

export type { ClientOption, FollowOptions, ListOptions, Starter, StartState }

const clientOf = (given: Client | undefined): Client => given ?? getContext<Client | undefined>(KEY) ?? sharedClient()
const current = <T>(given: T | (() => T)): T => (given instanceof Function ? given() : given)

/** `track` is read by what depends on a value, and `changed` is called when that is another one. */
function createSignal(): { track: () => void; changed: () => void } {
  let update: (() => void) | undefined
  const track = createSubscriber((each) => {
    update = each
  })
  return { track, changed: () => update?.() }
}

/** A source as a getter: followed from the component's mounting to its end. */
function useSource<S>(make: MakeSource<S>, client: Client, id: JobId, enabled?: EnabledOption['enabled']): () => S {
  const { track, changed } = createSignal()
  const source = make(client, changed)
  const wanted = (): string | undefined => ((current(enabled) ?? true) ? (current(id) ?? undefined) : undefined)
  // A store of a getter is an effect, without a compiler.
  const ids = toStore(wanted)
  onMount(() => {
    const leave = ids.subscribe((jobId) => untrack(() => source.follow(jobId)))
    return () => {
      leave()
      source.follow(undefined)
    }
  })
  return () => {
    track()
    return source.read(wanted())
  }
}

/**
 * Follows a job from the component's mounting to its end. All components that follow a job with the same client share one connection. The component's end
 * doesn't cancel the job. A server that renders the component makes no request. Call it while the component is initialised.
 *
 * @param id - the job's id; null, undefined: none yet
 * @throws JobtailError `bad-request` for an id that is no job id or an `initial` that is no snapshot
 */
export function useJob<E extends object = None>(id: JobId, options: UseJobOptions<E> = {}): UseJob<E> {
  const read = useSource(jobSource<E>(options), clientOf(options.client), id, options.enabled)
  return {
    get state() {
      return read()
    },
    get status() {
      return read().status
    },
    get progress() {
      return read().progress
    },
    get result() {
      return read().result
    },
    get error() {
      return read().error
    },
    get connection() {
      return read().connection
    },
    get isPending() {
      return read().isPending
    },
    cancel: () => read().cancel()
  }
}

/** A value that changes: read it as `current`. */
export interface Current<T> {
  /** The value now. */
  readonly current: T
}

const currentOf = <T>(read: () => T): Current<T> => ({
  get current() {
    return read()
  }
})

/**
 * The job's latest events, oldest first: those that the server retains, then each new one. Frozen, and the same list until there is another event. Why there
 * are no more is in `useJob(id).error`.
 *
 * @param id - the job's id; null, undefined: none yet
 * @throws JobtailError `bad-request` for an id that is no job id, or another limit than those above
 */
export const useJobEvents = <E extends object = None>(id: JobId, options: UseJobEventsOptions = {}): Current<readonly JobEvent<E>[]> =>
  currentOf(useSource(eventsSource<E>(options), clientOf(options.client), id, options.enabled))

/** The jobs of `Client.jobs()`: those that this browser has started or followed and that have not ended as far as is known. Empty on a server. */
export const useJobs = (options: ClientOption = {}): Current<readonly KnownJob[]> => currentOf(useSource(jobsSource, clientOf(options.client), ''))

/** Starts jobs, for a button or a form. Follow the job that it starts with `useJob(() => starter.jobId)`. */
export function useStartJob(options: ClientOption = {}): UseStartJob {
  let state = IDLE
  const { track, changed } = createSignal()
  const starter = createStarter(clientOf(options.client), (next) => {
    state = next
    changed()
  })
  const read = (): StartState => {
    track()
    return state
  }
  return {
    ...starter,
    get jobId() {
      return read().jobId
    },
    get isPending() {
      return read().isPending
    },
    get error() {
      return read().error
    }
  }
}
