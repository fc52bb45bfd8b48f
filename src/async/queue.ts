/**
 * The one bridge from pushing to pulling: values in order, then the error or the end, each exactly once.
 * It measures what it holds; whoever pushes bounds it by that.
 */
export interface Queue<T> extends AsyncIterator<T, undefined> {
  push(value: T): void
  /** After what is queued: the end, or the error. Later pushes and ends are ignored. */
  end(error?: unknown): void
  next(): Promise<IteratorResult<T, undefined>>
  /** What is queued first, at once; undefined where nothing is. */
  shift(): T | undefined
  readonly length: number
  /** The sum of `weigh` over what is queued. */
  readonly weight: number
}

/** What was pushed, and what after it: Array.prototype.shift would move the whole backlog at each call. */
interface Item<T> {
  value?: T
  next?: Item<T>
}

export function createQueue<T>(weigh: (value: T) => number = () => 1): Queue<T> {
  /** The last one taken: what is queued begins behind it. */
  let taken: Item<T> = {}
  let last = taken
  let length = 0
  let weight = 0
  /** The error that is still to be given; empty where there is none. */
  let ending: unknown[] | undefined
  const waiting: ((result: IteratorResult<T, undefined> | Promise<never>) => void)[] = []

  function take(): T {
    taken = taken.next as Item<T> // as: the caller has checked that there is one
    const value = taken.value as T // as: it was pushed
    delete taken.value // or it would stay in memory until the next one is taken
    length -= 1
    weight -= weigh(value)
    return value
  }

  const finish = (errors: unknown[]): IteratorResult<T, undefined> | Promise<never> =>
    errors.length > 0 ? Promise.reject(errors.pop()) : { done: true, value: undefined }

  return {
    push(value) {
      if (ending) return
      const waiter = waiting.shift()
      if (waiter) return waiter({ done: false, value })
      last = last.next = { value }
      length += 1
      weight += weigh(value)
    },
    end(error) {
      ending ??= error === undefined ? [] : [error]
      for (const waiter of waiting.splice(0)) waiter(finish(ending))
    },
    shift: () => (length ? take() : undefined),
    next: () =>
      new Promise((resolve) => {
        if (length) resolve({ done: false, value: take() })
        else if (ending) resolve(finish(ending))
        else waiting.push(resolve)
      }),
    get length() {
      return length
    },
    get weight() {
      return weight
    }
  }
}
