/**
 * The one bridge from pushing to pulling: values in order, then the error or the end, each exactly once.
 * It measures what it holds; whoever pushes bounds it by that.
 */
export interface Queue<T> extends AsyncIterator<T, undefined> {
  push(value: T): void
  /** After what is queued: the end, or the error. Later pushes and ends are ignored. */
  end(error?: unknown): void
  /** Drops what is queued. */
  clear(): void
  next(): Promise<IteratorResult<T, undefined>>
  /** The first value, where there is one. */
  shift(): T | undefined
  readonly length: number
  /** The sum of `weigh` over what is queued. */
  readonly weight: number
}

export function createQueue<T>(weigh: (value: T) => number = () => 1): Queue<T> {
  // A head index: Array.prototype.shift moves the whole backlog at each call.
  let items: (T | undefined)[] = []
  let head = 0
  let weight = 0
  let ending: { error?: unknown } | undefined
  const waiting: PromiseWithResolvers<IteratorResult<T, undefined>>[] = []

  function take(): T {
    const value = items[head] as T // as: the caller has checked that there is one
    items[head] = undefined // or the value would stay in memory until the backlog is cut
    head += 1
    weight -= weigh(value)
    if (head === items.length) clear()
    else if (head >= 1024 && head * 2 >= items.length) {
      items = items.slice(head)
      head = 0
    }
    return value
  }

  function clear(): void {
    items = []
    head = 0
    weight = 0
  }

  /** The end for one caller: the first one gets the error. */
  function finish(end: { error?: unknown }): Promise<IteratorResult<T, undefined>> {
    if (!('error' in end)) return Promise.resolve({ done: true, value: undefined })
    const { error } = end
    delete end.error
    return Promise.reject(error)
  }

  return {
    push(value) {
      if (ending) return
      const waiter = waiting.shift()
      if (waiter) return waiter.resolve({ done: false, value })
      items.push(value)
      weight += weigh(value)
    },
    end(error) {
      if (ending) return
      ending = error === undefined ? {} : { error }
      for (const waiter of waiting.splice(0)) waiter.resolve(finish(ending))
    },
    clear,
    shift: () => (head < items.length ? take() : undefined),
    next() {
      if (head < items.length) return Promise.resolve({ done: false, value: take() })
      if (ending) return finish(ending)
      const waiter = Promise.withResolvers<IteratorResult<T, undefined>>()
      waiting.push(waiter)
      return waiter.promise
    },
    get length() {
      return items.length - head
    },
    get weight() {
      return weight
    }
  }
}
