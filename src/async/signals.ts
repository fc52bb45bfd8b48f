/** Waiting that can be called off. */

import { bounded } from './bounds.ts'

/** Calls back with the reason once the signal aborts, at once where it has; returns how to take that back. */
export function onAbort(signal: AbortSignal, callback: (reason: unknown) => void): () => void {
  const listener = (): void => callback(signal.reason)
  if (signal.aborted) listener()
  else signal.addEventListener('abort', listener, { once: true })
  return () => signal.removeEventListener('abort', listener)
}

/** Resolves after `ms`, or with `woken`; rejects with the signal's reason, the timer cleared, where that comes first. */
export function delay(ms: number, signal: AbortSignal, woken?: Promise<void>): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>()
  const timer = setTimeout(resolve, bounded(ms))
  woken?.then(resolve)
  return orAborted(promise, signal).finally(() => clearTimeout(timer))
}

/** The promise's outcome, or the signal's reason where that comes first. The listener goes with whichever is first. */
export const orAborted = <T>(promise: Promise<T>, signal: AbortSignal): Promise<T> =>
  new Promise((resolve, reject) => {
    const release = onAbort(signal, reject)
    promise.then(resolve, reject).finally(release)
  })

/** A new controller that also aborts with the signal, until `release` lets go of it. */
export function child(signal: AbortSignal): AbortController & { release(): void } {
  const controller = new AbortController()
  return Object.assign(controller, { release: onAbort(signal, (reason) => controller.abort(reason)) })
}

/** The promise's outcome; rejects with what `late` makes where it takes longer than `ms`, or with the signal's reason. */
export async function within<T>(promise: Promise<T>, ms: number, signal: AbortSignal, late: () => Error): Promise<T> {
  const limit = child(signal)
  const timer = setTimeout(() => limit.abort(late()), bounded(ms))
  try {
    return await orAborted(promise, limit.signal)
  } finally {
    clearTimeout(timer)
    limit.release()
  }
}
