/** How often components are updated. */

/** Registers a listener, and returns a function that removes it. */
export type Subscribe = (listener: () => void) => () => void

/** Those that are called in the next animation frame: all in one task, after which a framework updates what they have changed, once. */
const waiting = new Set<() => void>()
let frame = 0

function flush(): void {
  frame = 0
  for (const listener of [...waiting]) {
    if (!waiting.delete(listener)) continue // removed by one before it
    try {
      listener()
    } catch (error) {
      reportError(error)
    }
  }
}

/**
 * Passes changes on at most once per animation frame: a job may have a thousand a second, and a framework renders each. A hidden page has no frames, and its
 * title may show the progress: there, and where `isUrgent` says so, a change is passed on at once.
 */
export function eachFrame(subscribe: Subscribe, listener: () => void, isUrgent: () => boolean = () => false): () => void {
  const own = (): void => listener() // the same function, registered twice, is called twice
  const forget = (): void => {
    waiting.delete(own)
    if (waiting.size > 0) return
    cancelAnimationFrame(frame)
    frame = 0
  }
  const leave = subscribe(() => {
    if (isUrgent() || document.hidden) {
      forget()
      listener()
    } else {
      waiting.add(own)
      frame ||= requestAnimationFrame(flush)
    }
  })
  return () => {
    forget()
    leave()
  }
}
