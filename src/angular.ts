/** `jobtail/angular`: follows and starts jobs in components and services of Angular. */

import { afterRenderEffect, computed, DestroyRef, InjectionToken, Injector, inject, type Provider, type Signal, signal, untracked } from '@angular/core'
import type { FollowedJob, FollowOptions, None } from './binding/job-store.ts'
import { type ClientOption, eventsSource, jobSource, jobsSource, type ListOptions, type MakeSource } from './binding/source.ts'
import { createStarter, IDLE, type Starter, type StartState } from './binding/starter.ts'
import { type Client, type JobEvent, type JobState, type KnownJob, sharedClient } from './index.ts'

const CLIENT = new InjectionToken<Client>('the client of jobtail')

/** Provides the client, to an application or to a component and everything below it. A function is called once, where `inject` may be called. */
export const provideJobtail = (client: Client | (() => Client)): Provider => ({
  provide: CLIENT,
  useFactory: () => (typeof client === 'function' ? client() : client)
})

/** Where a function is called from. */
export interface InjectorOption {
  /**
   * Its services are used, and what was begun ends with it.
   * @defaultValue that of the injection context, which has to be there then
   */
  injector?: Injector | undefined
}

/** What the functions that follow a job take. */
export interface InjectOptions extends InjectorOption {
  /**
   * `false` is as if the id were null. It is read as a signal, and may change at any time.
   * @defaultValue true
   */
  enabled?: (() => boolean | undefined) | undefined
}

/** Options of `injectJob`. */
export interface InjectJobOptions<E = None> extends FollowOptions<E>, ClientOption, InjectOptions {}

/** Options of `injectJobEvents`. */
export interface InjectJobEventsOptions extends ListOptions, InjectOptions {}

/** Options of `injectStartJob` and `injectJobs`. */
export interface InjectClientOptions extends ClientOption, InjectorOption {}

/** What `injectJob` returns. */
export interface InjectedJob<E = None> {
  /** All that is known of the job. */
  readonly state: Signal<JobState<E>>
  /** The job's status; `unknown` until the server has told it. */
  readonly status: Signal<JobState<E>['status']>
  /** The data of the latest `progress` event; `undefined` before the first one. */
  readonly progress: Signal<JobState<E>['progress']>
  /** The job's result; `undefined` unless `status` is `succeeded`. */
  readonly result: Signal<JobState<E>['result']>
  /** Why the job failed or was cancelled, or why it can't be followed any more. */
  readonly error: Signal<JobState<E>['error']>
  /** How the connection stands. */
  readonly connection: Signal<JobState<E>['connection']>
  /** Whether the job's end is still awaited: false without a job, after its end, and where following it has failed for good. */
  readonly isPending: Signal<boolean>
  /**
   * Asks the server to cancel the job. Resolves once the server has accepted it; `status` changes with the job's terminal event.
   * @throws JobtailError as `Job.cancel` does; `bad-request` without a job
   */
  cancel(): Promise<void>
}

/** What `injectStartJob` returns. */
export interface InjectedStart extends Starter {
  /** The id of the job that was started last, for `injectJob`; `undefined` before that, while a start is pending, and where it failed. */
  readonly jobId: Signal<string | undefined>
  /** Whether a start is pending. */
  readonly isPending: Signal<boolean>
  /** Why the last start failed; `undefined` where its signal was aborted. */
  readonly error: Signal<StartState['error']>
}

export type { ClientOption, FollowOptions, ListOptions, Starter, StartState }

/** A job's id: a signal, or a function of signals, such as `() => this.id()`. */
export type JobId = () => string | null | undefined

/** Where something is called, and with which client. */
function contextOf(options: ClientOption & InjectorOption): { injector: Injector; client: Client } {
  const injector = options.injector ?? inject(Injector)
  return { injector, client: options.client ?? injector.get(CLIENT, null) ?? sharedClient() }
}

/** A source as a signal: followed from the first rendering on, never on a server, until the injector is destroyed. */
function injectSource<S>(make: MakeSource<S>, { injector, client }: ReturnType<typeof contextOf>, id: JobId, enabled?: InjectOptions['enabled']): Signal<S> {
  const changes = signal(0)
  const source = make(client, () => changes.update((count) => count + 1))
  const wanted = computed(() => ((enabled?.() ?? true) ? (id() ?? undefined) : undefined))
  afterRenderEffect(
    () => {
      const jobId = wanted()
      untracked(() => source.follow(jobId))
    },
    { injector }
  )
  injector.get(DestroyRef).onDestroy(() => source.follow(undefined))
  return computed(() => {
    changes()
    return source.read(wanted())
  })
}

/**
 * Follows a job from the first rendering on until the component or service is destroyed. All that follow a job with the same client share one connection. The
 * destruction doesn't cancel the job. A server that renders the component makes no request.
 *
 * @param id - the job's id; null, undefined: none yet
 * @throws JobtailError `bad-request` for an id that is no job id or an `initial` that is no snapshot
 */
export function injectJob<E extends object = None>(id: JobId, options: InjectJobOptions<E> = {}): InjectedJob<E> {
  const state = injectSource(jobSource<E>(options), contextOf(options), id, options.enabled)
  const field = <Name extends keyof FollowedJob<E>>(name: Name): Signal<FollowedJob<E>[Name]> => computed(() => state()[name])
  return {
    state,
    status: field('status'),
    progress: field('progress'),
    result: field('result'),
    error: field('error'),
    connection: field('connection'),
    isPending: field('isPending'),
    cancel: () => untracked(state).cancel()
  }
}

/**
 * The job's latest events, oldest first: those that the server retains, then each new one. Frozen, and the same list until there is another event. Why there
 * are no more is in `injectJob(id).error`.
 *
 * @param id - the job's id; null, undefined: none yet
 * @throws JobtailError `bad-request` for an id that is no job id, or another limit than those above
 */
export const injectJobEvents = <E extends object = None>(id: JobId, options: InjectJobEventsOptions = {}): Signal<readonly JobEvent<E>[]> =>
  injectSource(eventsSource<E>(options), contextOf(options), id, options.enabled)

/** The jobs of `Client.jobs()`: those that this browser has started or followed and that have not ended as far as is known. Empty on a server. */
export const injectJobs = (options: InjectClientOptions = {}): Signal<readonly KnownJob[]> => injectSource(jobsSource, contextOf(options), () => '')

/** Starts jobs, for a button or a form. Follow the job that it starts with `injectJob(jobId)`. */
export function injectStartJob(options: InjectClientOptions = {}): InjectedStart {
  const state = signal(IDLE)
  const starter = createStarter(contextOf(options).client, (next) => state.set(next))
  return { ...starter, jobId: computed(() => state().jobId), isPending: computed(() => state().isPending), error: computed(() => state().error) }
}
