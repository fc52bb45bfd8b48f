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

/** How many taken values stay in the array before it is cut. `Array.prototype.shift` would move the whole backlog at each call. */
const MAX_HOLES = 1024

export function createQueue<T>(weigh: (value: T) => number = () => 1): Queue<T> {
  let items: (T | undefined)[] = []
  /** The index of the first value that is not taken yet. */
  let head = 0
  let weight = 0
  /** Set once the queue has ended: a list with the error, until a `next()` has rejected with it; otherwise an empty list. */
  let ending: unknown[] | undefined
  const waiting: ((result: IteratorResult<T, undefined> | Promise<never>) => void)[] = []

  function take(): T {
    const value = items[head] as T // as: the caller has checked that there is one
    items[head] = undefined // otherwise the array would keep the value in memory
    head += 1
    weight -= weigh(value)
    if (head === items.length) {
      items = []
      head = 0
    } else if (head >= MAX_HOLES && 2 * head >= items.length) {
      items = items.slice(head)
      head = 0
    }
    return value
  }

  const finish = (errors: unknown[]): IteratorResult<T, undefined> | Promise<never> =>
    errors.length > 0 ? Promise.reject(errors.pop()) : { done: true, value: undefined }

  return {
    push(value) {
      if (ending) return
      const waiter = waiting.shift()
      if (waiter) return waiter({ done: false, value })
      items.push(value)
      weight += weigh(value)
    },
    end(error) {
      ending ??= error === undefined ? [] : [error]
      for (const waiter of waiting.splice(0)) waiter(finish(ending))
    },
    shift: () => (head < items.length ? take() : undefined),
    next: () =>
      new Promise((resolve) => {
        if (head < items.length) resolve({ done: false, value: take() })
        else if (ending) resolve(finish(ending))
        else waiting.push(resolve)
      }),
    get length() {
      return items.length - head
    },
    get weight() {
      return weight
    }
  }
}
