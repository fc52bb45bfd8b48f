/** What a component shows, and how often it is told of changes. */

/** Registers a listener, and returns a function that removes it. */
export type Subscribe = (listener: () => void) => () => void

/** What a component shows: functions that stay the same, as React's `useSyncExternalStore` takes them. */
export interface Store<S> {
  /** The same object until something changes. */
  state(): S
  /** What a server shows, and so the first render in the page. The state may be further by then. */
  atServer(): S
  readonly subscribe: Subscribe
}

/** Those that are called in the next animation frame: all in one task, after which a framework renders what they have changed, once. */
const waiting = new Set<() => void>()
let frame = 0

function flush(): void {
  frame = 0
  for (const listener of waiting) {
    waiting.delete(listener)
    try {
      listener()
    } catch (error) {
      reportError(error)
    }
  }
}

/**
 * Passes changes on to a listener of one's own, at most once per animation frame: a job may have a thousand changes a second, and a framework renders each. A
 * page that is hidden has no frames, and its title may show the progress: it is told at once.
 */
export function eachFrame(subscribe: Subscribe, listener: () => void): () => void {
  const forget = (): void => {
    waiting.delete(listener)
    if (waiting.size > 0) return
    cancelAnimationFrame(frame)
    frame = 0
  }
  const leave = subscribe(() => {
    if (globalThis.document?.hidden !== false) {
      forget()
      listener()
    } else {
      waiting.add(listener)
      frame ||= requestAnimationFrame(flush)
    }
  })
  return () => {
    forget()
    leave()
  }
}
