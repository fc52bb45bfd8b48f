/** One component's reading of a job's events. */

import type { Client, JobEvent, JobtailError } from '../index.ts'

/** Where a component is in a job's events. It outlives the component's being hidden, and an effect that runs again. */
export interface Place {
  /** The id of the last event that was handled, at first where to begin; `undefined`: the oldest event that the server retains. */
  after?: string | undefined
  /** Whether the terminal event was handled. */
  isAtEnd?: boolean
  /** Why the last reading has failed for good. */
  error?: JobtailError | undefined
}

/**
 * Reads on from this place, each event once, in order. Returns a function that stops it at once; then nothing is called any more.
 * `onEnd`: after the terminal event, or where delivery has failed for good.
 */
export function readEvents<E extends object>(client: Client, id: string, place: Place, onEvent: (event: JobEvent<E>) => void, onEnd?: () => void): () => void {
  if (place.isAtEnd) return () => {}
  const subscription = client.subscribe<E>(id, { after: place.after })
  let isWanted = true
  place.error = undefined
  const read = async (): Promise<void> => {
    for await (const event of subscription) onEvent(event)
    place.isAtEnd = isWanted
  }
  const stopped = (error?: unknown): void => {
    if (!isWanted) return
    place.error = error as JobtailError | undefined // as: delivery fails with no other
    onEnd?.()
  }
  read().then(stopped, stopped)
  return () => {
    isWanted = false
    place.after = subscription.state.lastEventId ?? place.after
    subscription.close()
  }
}
