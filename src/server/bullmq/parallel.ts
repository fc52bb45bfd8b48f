const AT_ONCE = 16

/** Calls `work` for each item, 16 at a time. After a failure no further item is begun; rejects with the first failure once all that were begun have settled. */
export async function inParallel<T>(items: Iterable<T>, work: (item: T) => Promise<unknown>): Promise<void> {
  const left = items[Symbol.iterator]()
  let hasFailed = false
  async function next(): Promise<void> {
    for (let item = left.next(); !item.done && !hasFailed; item = left.next())
      try {
        await work(item.value)
      } catch (error) {
        hasFailed = true
        throw error
      }
  }
  const outcomes = await Promise.allSettled(Array.from({ length: AT_ONCE }, next))
  const failed = outcomes.find((outcome) => outcome.status === 'rejected')
  if (failed) throw failed.reason
}
