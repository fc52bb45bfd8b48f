/** What a decoder made of an input, beside what it had to make of it. */

import { TransportError } from '../../src/errors.ts'
import type { Link } from '../../src/types.ts'
import type { Outcome } from './reference.ts'

/** Takes all that a link brings. Throws whatever is not a transport's failure. */
export async function outcomeOf({ frames: batches }: Link): Promise<Outcome> {
  const frames: unknown[] = []
  try {
    for await (const batch of batches) frames.push(...[batch].flat())
    return { frames, end: 'clean' }
  } catch (error) {
    return { frames, end: reasonOf(error) }
  }
}

/** Throws again what is not to be thrown. */
function reasonOf(error: unknown): Outcome['end'] {
  if (error instanceof TransportError && (error.reason === 'protocol' || error.reason === 'cut' || error.reason === 'network')) return error.reason
  throw error
}

/** The result, or undefined where it is malformed; throws anything else that was thrown. */
export function orMalformed<T>(decode: () => T): T | undefined {
  try {
    return decode()
  } catch (error) {
    if (error instanceof TransportError && error.reason === 'protocol') return undefined
    throw error
  }
}

/** As JSON: a hundred thousand comparisons field by field take minutes, and deep ones the stack. */
export function expectSame(got: unknown, expected: unknown, input: () => unknown): void {
  if (JSON.stringify(got) !== JSON.stringify(expected)) throw new Error(`got ${show(got)}\nexpected ${show(expected)}\nof ${show(input())}`)
}

const show = (value: unknown): string => {
  const text = typeof value === 'string' ? JSON.stringify(value) : (JSON.stringify(value) ?? 'nothing')
  return text.length > 2000 ? `${text.slice(0, 2000)}… (${text.length} characters)` : text
}
