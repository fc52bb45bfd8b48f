/** Compares a decoder's outcome with the expected one. */

import { TransportError } from '../../src/errors.ts'
import type { Link } from '../../src/types.ts'
import type { Outcome } from './reference.ts'

/** Reads a link to its end. Throws any error that is not a transport failure. */
export async function outcomeOf({ frames: batches }: Link): Promise<Outcome> {
  const frames: unknown[] = []
  try {
    for await (const batch of batches) frames.push(...[batch].flat())
    return { frames, end: 'clean' }
  } catch (error) {
    return { frames, end: reasonOf(error) }
  }
}

/** The reason of a transport failure. Rethrows any other error. */
function reasonOf(error: unknown): Outcome['end'] {
  if (error instanceof TransportError && (error.reason === 'protocol' || error.reason === 'cut' || error.reason === 'network')) return error.reason
  throw error
}

/** The result, or `undefined` where the input is malformed. Any other error is rethrown. */
export function orMalformed<T>(decode: () => T): T | undefined {
  try {
    return decode()
  } catch (error) {
    if (error instanceof TransportError && error.reason === 'protocol') return undefined
    throw error
  }
}

/** Compares as JSON: a hundred thousand deep comparisons would take minutes, and deeply nested values would overflow the stack. */
export function expectSame(got: unknown, expected: unknown, input: () => unknown): void {
  if (JSON.stringify(got) !== JSON.stringify(expected)) throw new Error(`got ${show(got)}\nexpected ${show(expected)}\nof ${show(input())}`)
}

const show = (value: unknown): string => {
  const text = typeof value === 'string' ? JSON.stringify(value) : (JSON.stringify(value) ?? 'nothing')
  return text.length > 2000 ? `${text.slice(0, 2000)}… (${text.length} characters)` : text
}
