/** A job's events in a component. */

import { useSyncExternalStore } from 'react'
import { checkLimit, createEventStore, noEvents } from '../binding/event-list.ts'
import type { Client, JobEvent } from '../index.ts'
import { useKept } from './kept.ts'
import { useClient } from './provider.ts'

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
  checkLimit(limit)
  const client = useClient(options.client)
  const store = useKept(() => (id == null ? undefined : createEventStore<E>(client, id, limit)), client, id, limit)
  const { state, atServer, subscribe } = (enabled && store) || noEvents
  return useSyncExternalStore<readonly JobEvent<E>[]>(subscribe, state, atServer)
}
