/** Paints when something has changed, and for as long as something moves. */

/** A pixel of the timeline is about 30 ms wide. */
const GAP_MS = 30
/** Where the user has asked for reduced motion. */
const STILL_GAP_MS = 1000

export interface Frames {
  /** Asks for a frame, unless one is on its way. */
  wake(): void
  /** Takes back the frame that was asked for. */
  stop(): void
}

/** `paint` is called in an animation frame, every 30 ms at most. It returns whether something moves, so that it has to be called again. */
export function createFrames(paint: () => boolean): Frames {
  const still = matchMedia('(prefers-reduced-motion: reduce)')
  let timer: ReturnType<typeof setTimeout> | undefined
  let frame: number | undefined
  let paintedAt = Number.NEGATIVE_INFINITY

  function run(): void {
    frame = undefined
    paintedAt = performance.now()
    if (paint()) wake()
  }

  function request(): void {
    timer = undefined
    frame = requestAnimationFrame(run)
  }

  function wake(): void {
    if (timer !== undefined || frame !== undefined) return
    const waitMs = paintedAt + (still.matches ? STILL_GAP_MS : GAP_MS) - performance.now()
    // A frame comes up to 16 ms after it was asked for.
    if (waitMs > 16) timer = setTimeout(request, waitMs - 16)
    else request()
  }

  return {
    wake,
    stop() {
      clearTimeout(timer)
      if (frame !== undefined) cancelAnimationFrame(frame)
      timer = frame = undefined
    }
  }
}
