/** What a subscription's loop takes: an iterator over the events that have been received and wait to be taken. */

import { createQueue, type Queue } from './async/queue.ts'
import type { WireEvent } from './protocol/frames.ts'

/** An event that the loop has not taken yet, and the epoch that its seq counts in. */
export interface Item {
  event: WireEvent
  epoch: string | undefined
  bytes: number
}

/** What a loop tells its subscription. */
export interface LoopOptions {
  /** It asks for its first event. */
  onPull(): void
  /** It takes an event. */
  onTake(item: Item): void
  /** It is left early. */
  onReturn(): void
}

/** A loop over a job's events. */
export interface Loop {
  /** What it has not taken yet. Replaced by an empty one where it is to be dropped. */
  queue: Queue<Item>
  /** True once it has asked for an event. */
  isPulled: boolean
  /** Its iterator. */
  iterator: AsyncIterableIterator<WireEvent, undefined>
}

export function createLoop({ onPull, onTake, onReturn }: LoopOptions): Loop {
  function take(item: Item | undefined): IteratorResult<WireEvent, undefined> {
    if (!item) return { done: true, value: undefined }
    onTake(item)
    return { done: false, value: item.event }
  }

  const loop: Loop = {
    queue: createQueue<Item>(({ bytes }) => bytes),
    isPulled: false,
    iterator: {
      // Not an async function: it would cost each event more.
      next() {
        if (!loop.isPulled) {
          loop.isPulled = true
          onPull()
        }
        const item = loop.queue.shift()
        return item ? Promise.resolve(take(item)) : loop.queue.next().then(({ value }) => take(value))
      },
      async return() {
        onReturn()
        return { done: true, value: undefined }
      },
      [Symbol.asyncIterator]: () => loop.iterator
    }
  }
  return loop
}
