/** A job's events, as one component shows them. */

import { type Client, type JobEvent, JobtailError } from '../index.ts'
import { eachFrame, type Store } from './frames.ts'
import { type Place, readEvents } from './read-events.ts'

const NONE: readonly never[] = Object.freeze([])

/** The store where there is no job. */
export const noEvents: Store<readonly never[]> = { state: () => NONE, atServer: () => NONE, subscribe: () => () => {} }

/** @throws JobtailError `bad-request` for a limit below 1 */
export function checkLimit(limit: number): void {
  if (!(limit >= 1)) throw new JobtailError('bad-request', `limit: expected a number from 1, got ${limit}`)
}

/** `limit`: how many events are kept, the latest ones. */
export function createEventStore<E extends object>(client: Client, id: string, limit: number): Store<readonly JobEvent<E>[]> {
  const place: Place = {}
  let events: readonly JobEvent<E>[] = NONE
  /** Those that have come since `state()` was called. Adding each to `events` would copy a thousand for each one. */
  let fresh: JobEvent<E>[] = []
  const read = (listener: () => void): (() => void) =>
    readEvents<E>(client, id, place, (event) => {
      // Nobody may look for long, such as while a part of the page is hidden.
      if (fresh.push(event) > 2 * limit) fresh = fresh.slice(-limit)
      listener()
    })
  return {
    state() {
      if (fresh.length > 0) events = Object.freeze([...events, ...fresh].slice(-limit))
      fresh = []
      return events
    },
    atServer: noEvents.atServer,
    subscribe: (listener) => eachFrame(read, listener)
  }
}
