/** A job's events in a component. */

import { useSyncExternalStore } from 'react'
import { type Client, type JobEvent, JobtailError } from '../index.ts'
import { eachFrame, type Subscribe } from './frames.ts'
import { useKept } from './kept.ts'
import { useClient } from './provider.ts'
import { type Place, readEvents } from './read-events.ts'

/** Options of `useJobEvents`. A new object with the same content changes nothing. */
export interface UseJobEventsOptions {
  /**
   * How many events are kept, the latest ones: a number from 1. Another limit reads the events again.
   * @defaultValue 1000
   */
  limit?: number | undefined
  /**
   * The client to follow the job with.
   * @defaultValue the provider's, else the one of `subscribe` and `start` without options
   */
  client?: Client | undefined
  /**
   * `false` is as if the id were null. It may change any number of times.
   * @defaultValue `true`
   */
  enabled?: boolean | undefined
}

const NONE: readonly never[] = Object.freeze([])

/** What `useSyncExternalStore` takes: functions that stay the same. */
interface Store<E> {
  events(): readonly JobEvent<E>[]
  subscribe: Subscribe
}

const none: { events(): readonly never[]; subscribe: Subscribe } = { events: () => NONE, subscribe: () => () => {} }

/**
 * The job's latest events, oldest first: those that the server retains, then each new one. Frozen, and the same array until there is another event. Renders the
 * component at most once per animation frame. Why there are no more is in `useJob(id).error`.
 *
 * @param id - the job's id; null, undefined: none yet
 * @throws JobtailError `bad-request` while rendering, for another limit; from the effect, for an id that is no job id
 */
// biome-ignore lint/complexity/noBannedTypes: {} is "no events of the application's own"
export function useJobEvents<E extends object = {}>(id: string | null | undefined, options: UseJobEventsOptions = {}): readonly JobEvent<E>[] {
  const { limit = 1000, enabled = true } = options
  if (!(limit >= 1)) throw new JobtailError('bad-request', `limit: expected a number from 1, got ${limit}`)
  const client = useClient(options.client)
  const store = useKept(() => (id == null ? undefined : createStore<E>(client, id, limit)), client, id, limit)
  const { events, subscribe }: Store<E> = (enabled && store) || none
  return useSyncExternalStore(subscribe, events, none.events)
}

function createStore<E extends object>(client: Client, id: string, limit: number): Store<E> {
  const place: Place = {}
  let events: readonly JobEvent<E>[] = NONE
  /** Those that have come since `events()` was called. Adding each to `events` would copy a thousand for each one. */
  let fresh: JobEvent<E>[] = []
  const read = (listener: () => void): (() => void) =>
    readEvents<E>(client, id, place, (event) => {
      fresh.push(event)
      listener()
    }) ?? (() => {})
  return {
    events() {
      if (fresh.length > 0) events = Object.freeze([...events, ...fresh].slice(-limit))
      fresh = []
      return events
    },
    subscribe: (listener) => eachFrame(read, listener)
  }
}
