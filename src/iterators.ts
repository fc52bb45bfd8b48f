/** jobtail/iterators: what platforms lack for loops over events. */

/** The longest that a timer can wait (HTML §8.6). */
const MAX_TIMER_MS = 2 ** 31 - 1

/**
 * Yields what the iterable yields until the signal aborts; then it ends, without an error, at once: `return()` of the iterable is called, also while its next
 * value is awaited.
 */
export async function* takeUntil<T>(iterable: AsyncIterable<T>, signal: AbortSignal): AsyncGenerator<T, void, undefined> {
  const iterator = iterable[Symbol.asyncIterator]()
  const aborted = Promise.withResolvers<undefined>()
  const onAbort = (): void => aborted.resolve(undefined)
  signal.addEventListener('abort', onAbort)
  try {
    while (!signal.aborted) {
      const step = await Promise.race([iterator.next(), aborted.promise])
      if (!step || step.done) return
      yield step.value
    }
  } finally {
    signal.removeEventListener('abort', onAbort)
    await iterator.return?.()
  }
}

/**
 * Thins out `progress` events for a loop that draws them: it yields one at once, and the latest of those within `ms` after it, from 0. Every other event comes at
 * once, after the progress before it. So the order stays, and nothing but older progress is left out. It reads ahead while it waits: to resume from what the
 * loop has had, keep `event.id` and not `lastEventId`.
 * @throws RangeError from the first `next()`, where `ms` is no number from 0
 */
export async function* throttleLatest<T extends { type: string }>(events: AsyncIterable<T>, ms: number): AsyncGenerator<T, void, undefined> {
  if (!(ms >= 0)) throw new RangeError(`throttleLatest: ms: expected a number from 0, got ${ms}`)
  const iterator = events[Symbol.asyncIterator]()
  let next: Promise<IteratorResult<T>> | undefined
  let held: T | undefined
  let yieldedAt = -Infinity
  let timer: ReturnType<typeof setTimeout> | undefined
  const due = (): Promise<undefined> =>
    new Promise((resolve) => {
      timer = setTimeout(() => resolve(undefined), Math.min(yieldedAt + ms - performance.now(), MAX_TIMER_MS))
    })
  try {
    for (;;) {
      next ??= iterator.next()
      const step = await (held ? Promise.race([next, due()]) : next)
      clearTimeout(timer)
      if (step) next = undefined
      const isProgress = step?.value?.type === 'progress'
      const isEarly = performance.now() - yieldedAt < ms
      if (isProgress) held = step.value
      if (held && !(isProgress && isEarly)) {
        yieldedAt = performance.now()
        yield held
        held = undefined
      }
      if (step?.done) return
      if (step && !isProgress) yield step.value
    }
  } finally {
    clearTimeout(timer)
    await iterator.return?.()
  }
}
