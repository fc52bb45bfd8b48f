/** `jobtail/vue`: follows and starts jobs in components of Vue 3. */

import {
  type ComputedRef,
  computed,
  type EffectScope,
  getCurrentInstance,
  getCurrentScope,
  hasInjectionContext,
  type InjectionKey,
  inject,
  type MaybeRefOrGetter,
  onActivated,
  onDeactivated,
  onMounted,
  onScopeDispose,
  shallowRef,
  toValue,
  watch
} from 'vue'
import type { FollowedJob, FollowOptions, None } from './binding/job-store.ts'
import { type ClientOption, eventsSource, jobSource, jobsSource, type ListOptions, type MakeSource } from './binding/source.ts'
import { createStarter, IDLE, type Starter, type StartState } from './binding/starter.ts'
import { type Client, type JobEvent, type JobState, type KnownJob, sharedClient } from './index.ts'

/** The key of the client for everything below: `app.provide(jobtailKey, client)`, or `provide(jobtailKey, client)` in a component. */
export const jobtailKey: InjectionKey<Client> = Symbol('jobtail')

/** A job's id, or a ref or getter that may give another one at any time, such as `() => props.id`. */
export type JobId = MaybeRefOrGetter<string | null | undefined>

/** Whether a job is followed. */
export interface EnabledOption {
  /**
   * `false` is as if the id were null. It may change at any time.
   * @defaultValue true
   */
  enabled?: MaybeRefOrGetter<boolean | undefined>
}

/** Options of `useJob`. */
export interface UseJobOptions<E = None> extends FollowOptions<E>, ClientOption, EnabledOption {}

/** Options of `useJobEvents`. */
export interface UseJobEventsOptions extends ListOptions, EnabledOption {}

/** What `useJob` returns: refs, which may be taken apart. */
export interface UseJob<E = None> {
  /** All that is known of the job. */
  readonly state: ComputedRef<JobState<E>>
  /** The job's status; `unknown` until the server has told it. */
  readonly status: ComputedRef<JobState<E>['status']>
  /** The data of the latest `progress` event; `undefined` before the first one. */
  readonly progress: ComputedRef<JobState<E>['progress']>
  /** The job's result; `undefined` unless `status` is `succeeded`. */
  readonly result: ComputedRef<JobState<E>['result']>
  /** Why the job failed or was cancelled, or why it can't be followed any more. */
  readonly error: ComputedRef<JobState<E>['error']>
  /** How the connection stands. */
  readonly connection: ComputedRef<JobState<E>['connection']>
  /** Whether the job's end is still awaited: false without a job, after its end, and where following it has failed for good. */
  readonly isPending: ComputedRef<boolean>
  /**
   * Asks the server to cancel the job. Resolves once the server has accepted it; `status` changes with the job's terminal event.
   * @throws JobtailError as `Job.cancel` does; `bad-request` without a job
   */
  cancel(): Promise<void>
}

/** What `useStartJob` returns. */
export interface UseStartJob extends Starter {
  /** The id of the job that was started last, for `useJob`; `undefined` before that, while a start is pending, and where it failed. */
  readonly jobId: ComputedRef<string | undefined>
  /** Whether a start is pending. */
  readonly isPending: ComputedRef<boolean>
  /** Why the last start failed; `undefined` where its signal was aborted. */
  readonly error: ComputedRef<StartState['error']>
}

export type { ClientOption, FollowOptions, ListOptions, Starter, StartState }

const clientOf = (given: Client | undefined): Client => given ?? (hasInjectionContext() ? inject(jobtailKey, undefined) : undefined) ?? sharedClient()

/** A source as a ref: followed while its component is mounted, and not put away by `<KeepAlive>`; outside of a component at once, until its scope ends. */
function useSource<S>(make: MakeSource<S>, client: Client, id: JobId, enabled?: EnabledOption['enabled']): ComputedRef<S> {
  const changes = shallowRef(0)
  const source = make(client, () => {
    changes.value += 1
  })
  const wanted = computed(() => ((toValue(enabled) ?? true) ? (toValue(id) ?? undefined) : undefined))
  const isShown = shallowRef(false)
  const show = (is = true): void => {
    isShown.value = is
  }
  const component = getCurrentInstance() as { scope?: EffectScope } | null // as: its scope is there, but not in the types
  if (component) {
    onMounted(show)
    // A store that a component is the first to use has a scope of its own, and lives on without it.
    if (component.scope === getCurrentScope()) {
      onActivated(show)
      onDeactivated(() => show(false))
    }
  } else if (typeof window !== 'undefined') show()
  watch(() => (isShown.value ? wanted.value : undefined), source.follow, { immediate: true })
  onScopeDispose(() => source.follow(undefined))
  return computed(() => {
    changes.value
    return source.read(wanted.value)
  })
}

/**
 * Follows a job from the component's mounting to its unmounting, but not while `<KeepAlive>` has put it away. All components that follow a job with the same
 * client share one connection. Unmounting doesn't cancel the job. A server that renders the component makes no request.
 *
 * @param id - the job's id; null, undefined: none yet
 * @throws JobtailError `bad-request` for an id that is no job id or an `initial` that is no snapshot
 */
export function useJob<E extends object = None>(id: JobId, options: UseJobOptions<E> = {}): UseJob<E> {
  const state = useSource(jobSource<E>(options), clientOf(options.client), id, options.enabled)
  const field = <Name extends keyof FollowedJob<E>>(name: Name): ComputedRef<FollowedJob<E>[Name]> => computed(() => state.value[name])
  return {
    state,
    status: field('status'),
    progress: field('progress'),
    result: field('result'),
    error: field('error'),
    connection: field('connection'),
    isPending: field('isPending'),
    cancel: () => state.value.cancel()
  }
}

/**
 * The job's latest events, oldest first: those that the server retains, then each new one. Frozen, and the same list until there is another event. Why there
 * are no more is in `useJob(id).error`.
 *
 * @param id - the job's id; null, undefined: none yet
 * @throws JobtailError `bad-request` for an id that is no job id, or another limit than those above
 */
export const useJobEvents = <E extends object = None>(id: JobId, options: UseJobEventsOptions = {}): ComputedRef<readonly JobEvent<E>[]> =>
  useSource(eventsSource<E>(options), clientOf(options.client), id, options.enabled)

/** The jobs of `Client.jobs()`: those that this browser has started or followed and that have not ended as far as is known. Empty on a server. */
export const useJobs = (options: ClientOption = {}): ComputedRef<readonly KnownJob[]> => useSource(jobsSource, clientOf(options.client), '')

/** Starts jobs, for a button or a form. Follow the job that it starts with `useJob(jobId)`. */
export function useStartJob(options: ClientOption = {}): UseStartJob {
  const state = shallowRef(IDLE)
  const starter = createStarter(clientOf(options.client), (next) => {
    state.value = next
  })
  return { ...starter, jobId: computed(() => state.value.jobId), isPending: computed(() => state.value.isPending), error: computed(() => state.value.error) }
}
