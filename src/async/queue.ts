/**
 * The one bridge between code that pushes values and code that pulls them. It yields the values in order, then the error or the end, each
 * exactly once.
 *
 * It does not limit itself: the pushing side reads `length` and `weight` and stops in time.
 */
export interface Queue<T> extends AsyncIterator<T, undefined> {
  /** Appends a value, or gives it to the `next()` that waits for it. */
  push(value: T): void
  /** Ends the queue, with the error where one is given; what is queued is yielded first. Later pushes and ends are ignored. */
  end(error?: unknown): void
  /** The next value, as soon as there is one. */
  next(): Promise<IteratorResult<T, undefined>>
  /** Takes the first value that is queued; `undefined` where there is none. */
  shift(): T | undefined
  /** How many values are queued. */
  readonly length: number
  /** The sum of `weigh` over the values that are queued. */
  readonly weight: number
}

interface Node<T> {
  value: T | undefined
  next: Node<T> | undefined
}

export function createQueue<T>(weigh: (value: T) => number = () => 1): Queue<T> {
  /** The value that was taken last, and behind it those that are queued. A list, because `Array.prototype.shift` moves the whole backlog. */
  let head: Node<T> = { value: undefined, next: undefined }
  let last = head
  /** Set once the queue has ended: a list with the error, until a `next()` has rejected with it; otherwise an empty list. */
  let ending: unknown[] | undefined
  const waiting: ((result: IteratorResult<T, undefined> | Promise<never>) => void)[] = []

  const finish = (errors: unknown[]): IteratorResult<T, undefined> | Promise<never> =>
    errors.length > 0 ? Promise.reject(errors.pop()) : { done: true, value: undefined }

  const queue = {
    length: 0,
    weight: 0,
    push(value: T) {
      if (ending) return
      const waiter = waiting.shift()
      if (waiter) return waiter({ done: false, value })
      last = last.next = { value, next: undefined }
      queue.length += 1
      queue.weight += weigh(value)
    },
    end(error?: unknown) {
      ending ??= error === undefined ? [] : [error]
      for (const waiter of waiting.splice(0)) waiter(finish(ending))
    },
    shift() {
      if (!head.next) return undefined
      head = head.next
      const value = head.value as T // as: only the first head has none
      head.value = undefined // otherwise the list would keep the value in memory
      queue.length -= 1
      queue.weight -= weigh(value)
      return value
    },
    next: () =>
      new Promise<IteratorResult<T, undefined>>((resolve) => {
        if (queue.length > 0)
          resolve({ done: false, value: queue.shift() as T }) // as: there is one
        else if (ending) resolve(finish(ending))
        else waiting.push(resolve)
      })
  }
  return queue
}
