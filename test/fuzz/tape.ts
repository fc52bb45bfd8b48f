/** Randomness as a list of numbers. fast-check makes it, prints its seed and shrinks it, so the inputs drawn from it shrink too. */

import fc from 'fast-check'

export interface Tape {
  /** A number from 0 to `n` - 1; 0 at the tape's end. */
  below(n: number): number
  /** True once in `n` draws; false at the tape's end. */
  oneIn(n: number): boolean
  /** One of these; the first at the tape's end. */
  pick<T>(from: readonly [T, ...T[]]): T
  /** A list of 0 to `most` members. */
  list<T>(most: number, make: () => T): T[]
  /** Counts the input as one of this kind. */
  note(kind: string): void
}

/** How often each kind of input was drawn. */
export type Counts = Map<string, number>

function createTape(numbers: readonly number[], counts: Counts): Tape {
  let at = 0
  const below = (n: number): number => (numbers[at++] ?? 0) % n
  return {
    below,
    oneIn: (n) => below(n) === n - 1,
    pick: (from) => from[below(from.length)] as (typeof from)[number], // as: it is one of them
    list: (most, make) => Array.from({ length: below(most + 1) }, make),
    note: (kind) => void counts.set(kind, (counts.get(kind) ?? 0) + 1)
  }
}

const tapes = fc.array(fc.nat(2 ** 31 - 1), { minLength: 10, maxLength: 240, size: 'max' })

/** The seed is fixed, so that a failure comes from a change of the code. `FUZZ_SEED` replaces it. */
const SEED = 20_261_121
/** A longer run counts as a hang. */
const HANG_MS = 30_000

/** Draws inputs and tries each; prints what they contained. A failing input is shrunk and reported with its seed. */
export async function fuzz(name: string, runs: number, attempt: (tape: Tape) => Promise<void> | void): Promise<void> {
  const counts: Counts = new Map()
  await fc.assert(
    fc.asyncProperty(tapes, async (numbers) => attempt(createTape(numbers, counts))),
    { numRuns: runs, timeout: HANG_MS, seed: Number(process.env.FUZZ_SEED ?? SEED) }
  )
  if (Object.hasOwn(Object.prototype, 'polluted') || Object.keys(Object.prototype).length > 0) throw new Error('Object.prototype was polluted')
  const kinds = [...counts].sort(([, a], [, b]) => b - a).map(([kind, count]) => `${count} ${kind}`)
  console.log(`fuzz: ${runs} ${name}${kinds.length > 0 ? `: ${kinds.join(', ')}` : ''}`)
}
