/** The latest items of a list that never ends. */
export interface Ring<T> {
  /** Adds an item. The oldest one is dropped where there is no room. */
  push(item: T): void
  /** How many items were added, the dropped ones included. */
  readonly total: number
  /** The items from number `from` on (0: the first that was added), oldest first, without those that were dropped. */
  since(from: number): T[]
}

/** Makes a ring that holds up to `max` items. */
export function createRing<T>(max: number): Ring<T> {
  const items: T[] = []
  let total = 0
  return {
    push(item) {
      items[total % max] = item
      total += 1
    },
    get total() {
      return total
    },
    since(from) {
      const first = Math.max(from, total - items.length)
      // as: each of these numbers has an item
      return Array.from({ length: Math.max(0, total - first) }, (_, index) => items[(first + index) % max] as T)
    }
  }
}
