/** How often components are rendered. */

/** Registers a listener, and returns a function that removes it. */
export type Subscribe = (listener: () => void) => () => void

/**
 * Passes changes on at most once per animation frame: React renders each change of a store by itself, at once, and a job may have a thousand a second. A page
 * that is hidden has no frames, and its title may show the progress: it is told at once.
 */
export function eachFrame(subscribe: Subscribe, listener: () => void): () => void {
  let frame = 0
  const tell = (): void => {
    frame = 0
    listener()
  }
  const leave = subscribe(() => {
    if (globalThis.document?.hidden !== false) listener()
    else frame ||= requestAnimationFrame(tell)
  })
  return () => {
    leave()
    if (frame) cancelAnimationFrame(frame)
  }
}
