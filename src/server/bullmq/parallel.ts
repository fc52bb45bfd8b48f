const AT_ONCE = 16

/** Works on a few of them at a time. Rejects with the first failure, once all that had begun has ended. */
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
