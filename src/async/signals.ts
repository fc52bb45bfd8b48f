/** Waits that an abort signal ends. */

import { clampMs } from './bounds.ts'

/** Calls back with the reason when the signal aborts, synchronously where it already has. Returns a function that removes the callback. */
export function onAbort(signal: AbortSignal, callback: (reason: unknown) => void): () => void {
  const listener = (): void => callback(signal.reason)
  if (signal.aborted) listener()
  else signal.addEventListener('abort', listener, { once: true })
  return () => signal.removeEventListener('abort', listener)
}

/** Resolves after `ms`, or once `woken` resolves. Rejects with the signal's reason where that comes first. The timer is cleared in each case. */
export function delay(ms: number, signal: AbortSignal, woken?: Promise<void>): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>()
  const timer = setTimeout(resolve, clampMs(ms))
  woken?.then(resolve)
  return orAborted(promise, signal).finally(() => clearTimeout(timer))
}

/** Settles as the promise does, or rejects with the signal's reason where that comes first. The listener is removed in each case. */
export const orAborted = <T>(promise: Promise<T>, signal: AbortSignal): Promise<T> =>
  new Promise((resolve, reject) => {
    const release = onAbort(signal, reject)
    promise.then(resolve, reject).finally(release)
  })

/** A new controller that also aborts with the signal. `release` ends this link between the two. */
export function child(signal: AbortSignal): AbortController & { release(): void } {
  const controller = new AbortController()
  return Object.assign(controller, { release: onAbort(signal, (reason) => controller.abort(reason)) })
}

/**
 * Settles as what `begin` begins does. Rejects with what `late` makes where it takes longer than `ms`, or with the signal's reason; the signal that `begin`
 * was given then aborts with the same.
 */
export async function withTimeout<T>(begin: (signal: AbortSignal) => Promise<T>, ms: number, signal: AbortSignal, late: () => unknown): Promise<T> {
  const limit = child(signal)
  const timer = setTimeout(() => limit.abort(late()), clampMs(ms))
  try {
    return await orAborted(begin(limit.signal), limit.signal)
  } finally {
    clearTimeout(timer)
    limit.release()
  }
}
