/** `jobtail/solid`: follows and starts jobs in components of Solid. */

import { type Accessor, type Context, createContext, createEffect, createMemo, createSignal, onCleanup, untrack, useContext } from 'solid-js'
import type { FollowedJob, FollowOptions, None } from './binding/job-store.ts'
import { type ClientOption, eventsSource, jobSource, jobsSource, type ListOptions, type MakeSource } from './binding/source.ts'
import { createStarter, IDLE, type Starter, type StartState } from './binding/starter.ts'
import { type Client, type JobEvent, type KnownJob, sharedClient } from './index.ts'

/** The client for everything below: `<JobtailContext.Provider value={client}>`. */
export const JobtailContext: Context<Client | undefined> = createContext<Client>()

/** A job's id, or an accessor that may give another one at any time, such as `() => props.id`. */
export type JobId = string | null | undefined | Accessor<string | null | undefined>

/** Whether a job is followed. */
export interface EnabledOption {
  /**
   * `false` is as if the id were null. An accessor may give another value at any time.
   * @defaultValue true
   */
  enabled?: boolean | Accessor<boolean | undefined> | undefined
}

/** Options of `createJob`. */
export interface CreateJobOptions<E = None> extends FollowOptions<E>, ClientOption, EnabledOption {}

/** Options of `createJobEvents`. */
export interface CreateJobEventsOptions extends ListOptions, EnabledOption {}

/** What `createStartJob` returns: an accessor of how the latest start stands, and functions. */
export interface StartJobAccessor extends Starter {
  (): StartState
}

export type { ClientOption, FollowOptions, ListOptions, Starter, StartState }

const clientOf = (given: Client | undefined): Client => given ?? useContext(JobtailContext) ?? sharedClient()
const current = <T>(given: T | Accessor<T>): T => (given instanceof Function ? given() : given)

/** A source as an accessor: followed from the mounting on to the owner's end. */
function createFollowed<S>(make: MakeSource<S>, client: Client, id: JobId, enabled?: EnabledOption['enabled']): Accessor<S> {
  const [changes, changed] = createSignal(undefined, { equals: false })
  const source = make(client, changed)
  const wanted = createMemo(() => ((current(enabled) ?? true) ? (current(id) ?? undefined) : undefined))
  createEffect(() => {
    const jobId = wanted()
    untrack(() => source.follow(jobId))
  })
  onCleanup(() => source.follow(undefined))
  return createMemo(() => {
    changes()
    return source.read(wanted())
  })
}

/**
 * Follows a job from the mounting of its component to its end. All components that follow a job with the same client share one connection. The component's end
 * doesn't cancel the job. A server that renders the component makes no request.
 *
 * @returns an accessor of the job's state, with `isPending` and `cancel`
 * @param id - the job's id; null, undefined: none yet
 * @throws JobtailError `bad-request` for an id that is no job id or an `initial` that is no snapshot
 */
export const createJob = <E extends object = None>(id: JobId, options: CreateJobOptions<E> = {}): Accessor<FollowedJob<E>> =>
  createFollowed(jobSource<E>(options), clientOf(options.client), id, options.enabled)

/**
 * The job's latest events, oldest first: those that the server retains, then each new one. Frozen, and the same list until there is another event. Why there
 * are no more is in `createJob(id)().error`.
 *
 * @param id - the job's id; null, undefined: none yet
 * @throws JobtailError `bad-request` for an id that is no job id, or another limit than those above
 */
export const createJobEvents = <E extends object = None>(id: JobId, options: CreateJobEventsOptions = {}): Accessor<readonly JobEvent<E>[]> =>
  createFollowed(eventsSource<E>(options), clientOf(options.client), id, options.enabled)

/** The jobs of `Client.jobs()`: those that this browser has started or followed and that have not ended as far as is known. Empty on a server. */
export const createJobs = (options: ClientOption = {}): Accessor<readonly KnownJob[]> => createFollowed(jobsSource, clientOf(options.client), '')

/** Starts jobs, for a button or a form. Follow the job that it starts with `createJob(() => starting().jobId)`. */
export function createStartJob(options: ClientOption = {}): StartJobAccessor {
  const [state, setState] = createSignal(IDLE)
  return Object.assign(() => state(), createStarter(clientOf(options.client), setState))
}
