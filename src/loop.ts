/** A subscription's loop: an iterator over the events that have been received and wait to be taken, and how many there may be. */

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
  /** How much it may hold. */
  bufferSize: number
  bufferBytes: number
  /** It asks for its first event. */
  onPull(): void
  /** It takes an event. */
  onTake(item: Item): void
  /** It is left early. */
  onReturn(): void
}

/** A loop over a job's events. */
export interface Loop {
  /** `unread` until it asks for its first event; `over` once no more events come to it: it still takes what it holds. */
  phase: 'unread' | 'reading' | 'over'
  /** What it has not taken yet. Replaced by an empty one where it is to be dropped. */
  queue: Queue<Item>
  /** Its iterator. */
  readonly iterator: AsyncIterableIterator<WireEvent, undefined>
  /** How many bytes it has room for; 0 or less: it is full. */
  roomBytes(): number
  /** Whether it holds no more than half of what it may hold. */
  readonly isHalfEmpty: boolean
}

export function createLoop({ bufferSize, bufferBytes, onPull, onTake, onReturn }: LoopOptions): Loop {
  function take(item: Item | undefined): IteratorResult<WireEvent, undefined> {
    if (!item) return { done: true, value: undefined }
    onTake(item)
    return { done: false, value: item.event }
  }

  const loop: Loop = {
    phase: 'unread',
    queue: createQueue<Item>(({ bytes }) => bytes),
    iterator: {
      // Not an async function: it would cost each event more.
      next() {
        if (loop.phase === 'unread') {
          loop.phase = 'reading'
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
    },
    roomBytes: () => (loop.queue.length >= bufferSize ? 0 : bufferBytes - loop.queue.weight),
    get isHalfEmpty() {
      return loop.queue.length <= bufferSize / 2 && loop.queue.weight <= bufferBytes / 2
    }
  }
  return loop
}
