/** What the bindings to Vue, Svelte, Solid and Angular share: a component follows one job after another. */

import type { Client, JobEvent, KnownJob } from '../index.ts'
import { checkLimit, createEventStore, noEvents } from './event-list.ts'
import { eachFrame, type Store } from './frames.ts'
import { createJobStore, type FollowedJob, type FollowOptions, none } from './job-store.ts'

/** Whose jobs a component follows or starts. */
export interface ClientOption {
  /**
   * The client to use.
   * @defaultValue the one that the component's surroundings provide, else that of `subscribe` and `start` without options
   */
  client?: Client | undefined
}

/** Options for a list of events. */
export interface ListOptions extends ClientOption {
  /**
   * How many events are kept, the latest ones: a number from 1.
   * @defaultValue 1000
   */
  limit?: number | undefined
}

/** Something that a component shows of a job. Which job that is may change at any time. */
export interface Source<S> {
  /** What to show of a job, or of none. The same object until something changes. */
  read(id: string | undefined): S
  /** Follows this job from now on, and no other; none where it is `undefined`. */
  follow(id: string | undefined): void
}

/** Makes a source, which calls `changed` when there is something else to show: at most once per animation frame. */
export type MakeSource<S> = (client: Client, changed: () => void) => Source<S>

/** `nothing`: what is shown without a job. A job that is followed again, after `follow(undefined)`, goes on in its store. */
function createSource<S>(changed: () => void, nothing: Store<S>, open: (id: string) => Store<S>): Source<S> {
  let store = nothing
  let opened: string | undefined
  let isFollowed = false
  let leave: (() => void) | undefined

  function storeOf(id: string): Store<S> {
    if (id !== opened) {
      store = open(id)
      opened = id
      isFollowed = false
    }
    return store
  }

  return {
    read(id) {
      const { state, atServer } = id === undefined ? nothing : storeOf(id)
      return isFollowed ? state() : atServer()
    },
    follow(id) {
      leave?.()
      leave = undefined
      if (id === undefined) return
      const { subscribe } = storeOf(id)
      isFollowed = true
      leave = subscribe(changed)
      changed()
    }
  }
}

/** The state of a job. The callbacks are looked up at each call. */
export const jobSource =
  <E extends object>(options: FollowOptions<E>): MakeSource<FollowedJob<E>> =>
  (client, changed) =>
    createSource<FollowedJob<E>>(changed, none, (id) => {
      const store = createJobStore<E>(client, id, options, { current: options })
      return options.onEvent ? { ...store, subscribe: store.subscribeWithEvents } : store
    })

/** The latest events of a job. */
export const eventsSource =
  <E extends object>({ limit = 1000 }: ListOptions): MakeSource<readonly JobEvent<E>[]> =>
  (client, changed) => {
    checkLimit(limit)
    return createSource<readonly JobEvent<E>[]>(changed, noEvents, (id) => createEventStore<E>(client, id, limit))
  }

/** The jobs that the browser knows, whatever the id. */
export const jobsSource: MakeSource<readonly KnownJob[]> = (client, changed) =>
  createSource<readonly KnownJob[]>(changed, noEvents, () => {
    const list = client.jobs()
    return { ...noEvents, state: () => list.state, subscribe: (listener) => eachFrame(list.subscribe, listener) }
  })
