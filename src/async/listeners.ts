/** Listeners that are told of changes, at most once per task. */

import { callSafely } from './callback.ts'
import { macrotask } from './clock.ts'

/** The listeners of one thing. */
export interface Listeners {
  /** Registers a listener; returns a function that removes it. A function that is registered twice is called twice. */
  add(listener: () => void): () => void
  /** Calls the listeners that are left, in the next task. */
  changed(): void
  /** How many there are. */
  readonly size: number
}

export function createListeners(): Listeners {
  const listeners = new Set<() => void>()
  let isNotifying = false

  async function notify(): Promise<void> {
    isNotifying = true
    await macrotask()
    isNotifying = false
    for (const listener of [...listeners]) if (listeners.has(listener)) callSafely(listener)
  }

  return {
    add(listener) {
      const own = (): void => listener()
      listeners.add(own)
      return () => void listeners.delete(own)
    },
    changed() {
      if (!isNotifying && listeners.size > 0) void notify()
    },
    get size() {
      return listeners.size
    }
  }
}
