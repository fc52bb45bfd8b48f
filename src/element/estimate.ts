/** How long a job still takes, from the progress that this page has seen. */

/**
 * Takes the progress that is known now, and returns the time left, in ms; `undefined` where that would be a guess. `now` is in ms.
 *
 * The time left is what is left of the progress at the speed of the second half of the time so far. It is a guess
 * - before 5 s, 5 % and 4 steps have been seen,
 * - where one half of the time so far was more than twice as fast as the other,
 * - without a ratio; a ratio that goes back begins anew,
 * - above a day.
 */
export type Estimate = (ratio: number | undefined, now: number) => number | undefined

const MIN_MS = 5000
const MIN_DONE = 0.05
const MIN_STEPS = 4
const MAX_UNEVEN = 2
const MAX_LEFT_MS = 86_400_000
const MAX_SAMPLES = 64

/** Makes an estimate that has seen nothing yet. */
export function createEstimate(): Estimate {
  /** The moments at which the ratio has grown. */
  let samples: (readonly [at: number, ratio: number])[] = []

  return (ratio = -1, now) => {
    const last = samples.at(-1)?.[1] ?? -1
    if (ratio < last) samples = []
    if (ratio < 0) return undefined
    if (ratio !== last) samples.push([now, ratio])
    // Every other one goes, but for the first and the last: a long job needs no more memory than a short one.
    if (samples.length > MAX_SAMPLES) samples = samples.filter((_, index) => index % 2 === 0)

    const points = [...samples, [now, ratio] as const]
    const [[begin, first] = [now, ratio]] = points
    const middle = (begin + now) / 2
    const next = points.findIndex(([at]) => at > middle)
    const [[a, from], [b, to]] = [points[next - 1] ?? [begin, first], points[next] ?? [now, ratio]]
    // The ratio at half-time, on the straight line between the moments beside it.
    const half = from + ((middle - a) / (b - a)) * (to - from)
    const [early, late] = [half - first, ratio - half]
    const isGuess =
      now - begin < MIN_MS || ratio - first < MIN_DONE || samples.length <= MIN_STEPS || Math.max(early, late) > MAX_UNEVEN * Math.min(early, late)
    const leftMs = ((1 - ratio) * (now - begin)) / 2 / late
    return isGuess || ratio >= 1 || leftMs > MAX_LEFT_MS ? undefined : leftMs
  }
}
