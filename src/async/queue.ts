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

/** So many taken ones are kept before the list is cut: `Array.prototype.shift` would move the whole backlog at each call. */
const MAX_TAKEN = 1024

export function createQueue<T>(weigh: (value: T) => number = () => 1): Queue<T> {
  let items: (T | undefined)[] = []
  /** Where the first that is not taken is. */
  let head = 0
  let weight = 0
  /** The error that is still to be given; empty where there is none. */
  let ending: unknown[] | undefined
  const waiting: ((result: IteratorResult<T, undefined> | Promise<never>) => void)[] = []

  function take(): T {
    const value = items[head] as T // as: the caller has checked that there is one
    items[head] = undefined // or it would stay in memory
    head += 1
    weight -= weigh(value)
    if (head === items.length) {
      items = []
      head = 0
    } else if (head >= MAX_TAKEN && 2 * head >= items.length) {
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
