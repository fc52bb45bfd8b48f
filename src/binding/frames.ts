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
  // Each by itself, so that one that throws doesn't stop the others; and all before what frameworks render, which they do later.
  for (const listener of waiting) queueMicrotask(listener)
  waiting.clear()
}

/**
 * Passes changes on to a listener of one's own, at most once per animation frame: a job may have a thousand changes a second, and a framework renders each. A
 * page that is hidden has no frames, and its title may show the progress: it is told at once.
 */
export function eachFrame(subscribe: Subscribe, listener: () => void): () => void {
  const leave = subscribe(() => {
    if (globalThis.document?.hidden !== false) return listener()
    waiting.add(listener)
    frame ||= requestAnimationFrame(flush)
  })
  return () => {
    leave()
    waiting.delete(listener)
    if (waiting.size > 0 || !frame) return
    cancelAnimationFrame(frame)
    frame = 0
  }
}
