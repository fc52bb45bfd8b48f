/** Counts what a page holds: timers, animation frames, and listeners of its window, its document and its network information. */

import { onTestFinished } from 'vitest'

export interface PageResources {
  timers: number
  frames: number
  listeners: number
}

/**
 * Counts from now on what the page's code sets up and doesn't take down again. What was there before is not in it. Until the end of the test it
 * replaces functions of the platform.
 */
export function watchPage(): () => PageResources {
  const timers = new Set<unknown>()
  const frames = new Set<unknown>()
  const listeners = new Set<string>()
  const restores: (() => void)[] = []
  onTestFinished(() => {
    for (const restore of restores.reverse()) restore()
  })

  /** Puts a function before the platform's own. It gets the arguments, may change them, and what the own function has returned. */
  function wrap<Name extends string>(
    owner: Record<Name, unknown>,
    name: Name,
    around: (args: unknown[], own: (...args: unknown[]) => unknown) => unknown
  ): void {
    const own = owner[name] as (...args: unknown[]) => unknown // as: the names below are functions
    const descriptor = Object.getOwnPropertyDescriptor(owner, name)
    owner[name] = function (this: unknown, ...args: unknown[]) {
      return around(args, (...changed) => own.apply(this ?? globalThis, changed))
    }
    restores.push(() => (descriptor ? Object.defineProperty(owner, name, descriptor) : delete owner[name]))
  }

  /** `setTimeout` and its like: the id is held until the callback has been called, or it is cleared. */
  function watchCallbacks(held: Set<unknown>, set: 'setTimeout' | 'requestAnimationFrame', clear: 'clearTimeout' | 'cancelAnimationFrame'): void {
    wrap(globalThis, set, ([callback, ...rest], own) => {
      const id: unknown = own(
        (...args: unknown[]) => {
          held.delete(id)
          ;(callback as (...args: unknown[]) => void)(...args) // as: nobody here passes text
        },
        ...rest
      )
      held.add(id)
      return id
    })
    wrap(globalThis, clear, ([id], own) => {
      held.delete(id)
      own(id)
    })
  }
  watchCallbacks(timers, 'setTimeout', 'clearTimeout')
  watchCallbacks(frames, 'requestAnimationFrame', 'cancelAnimationFrame')

  const ids = new Map<unknown, number>()
  const keyOf = (...parts: unknown[]): string =>
    parts.map((part) => (typeof part === 'string' ? part : ids.set(part, ids.get(part) ?? ids.size).get(part))).join(' ')
  const network: unknown = Reflect.get(navigator, 'connection')
  for (const target of [window, document, network].filter((each) => each instanceof EventTarget)) {
    wrap(target, 'addEventListener', ([type, listener, options], own) => {
      listeners.add(keyOf(target, type, listener))
      const { signal } = Object(options) as AddEventListenerOptions // as: `true` has no signal
      signal?.addEventListener('abort', () => listeners.delete(keyOf(target, type, listener)))
      own(type, listener, options)
    })
    wrap(target, 'removeEventListener', ([type, listener, options], own) => {
      listeners.delete(keyOf(target, type, listener))
      own(type, listener, options)
    })
  }
  return () => ({ timers: timers.size, frames: frames.size, listeners: listeners.size })
}
