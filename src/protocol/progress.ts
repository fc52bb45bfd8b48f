/** Adds a `ratio` to the data of a `progress` event wherever one can be computed. A bare number up to 1 is a ratio, a larger one a percentage. */
export function progressOf(data: unknown): unknown {
  if (typeof data === 'number') return { ratio: ratioOf(data, data > 1 ? 100 : 1) }
  const { ratio, current, total } = Object(data)
  const isKnown = typeof ratio !== 'number' && typeof current === 'number' && typeof total === 'number' && total > 0
  return isKnown ? { ...Object(data), ratio: ratioOf(current, total) } : data
}

const ratioOf = (part: number, whole: number): number => Math.min(1, Math.max(0, part / whole))
