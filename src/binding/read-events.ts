/** One component's reading of a job's events. */

import type { Client, JobEvent, JobState } from '../index.ts'

/** Where a component is in a job's events. It outlives a component that is hidden, and an effect that runs again. */
export interface Place {
  /** The id of the last event that was handled, at first where to begin; `undefined`: the oldest event that the server retains. */
  after: string | undefined
  /** Whether the end was handled. */
  hasEnded: boolean
}

interface Handlers<E> {
  /** Gets each event once, in order. */
  event(event: JobEvent<E>): void
  /** Called once, after the terminal event. */
  end?(state: JobState<E>): void
  /** Called where delivery has failed for good. */
  fail?(error: unknown): void
}

/** Reads on from this place. Returns a function that stops at once. */
export function readEvents<E extends object>(client: Client, id: string, place: Place, handlers: Handlers<E>): (() => void) | undefined {
  if (place.hasEnded) return undefined
  const subscription = client.subscribe<E>(id, { after: place.after })
  let isWanted = true
  const read = async (): Promise<void> => {
    for await (const event of subscription) handlers.event(event)
    if (!isWanted) return
    place.hasEnded = true
    handlers.end?.(subscription.state)
  }
  read().catch((error: unknown) => isWanted && handlers.fail?.(error))
  return () => {
    isWanted = false
    place.after = subscription.state.lastEventId ?? place.after
    subscription.close()
  }
}
