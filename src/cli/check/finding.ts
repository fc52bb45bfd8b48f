/** The outcomes of testing a clause, and the checks that throw them. */

import { stripControls } from '../terminal/strip-controls.ts'

/** The server doesn't meet a clause: what it was asked, what the protocol requires, what came. */
export class Finding extends Error {
  readonly asked: string
  readonly expected: string
  readonly came: string

  constructor(asked: string, expected: string, came: string) {
    super(`${asked}: expected ${expected}, got ${came}`)
    this.asked = asked
    this.expected = expected
    this.came = came
  }
}

/** A clause could not be tested with this server: it is neither met nor broken. */
export class LeftOut extends Error {}

/** Returns a value that the clause needs. Throws `LeftOut` without it: another clause reports that it is missing. */
export function need<T>(value: T, reason: string): Exclude<T, false | null | undefined> {
  if (!value) throw new LeftOut(reason)
  return value as Exclude<T, false | null | undefined> // as: false, null and undefined have just been thrown for
}

/** The result, or `undefined` where it fails: for a value that several readings can give. */
export const attempt = <T>(look: () => Promise<T>): Promise<T | undefined> => look().catch(() => undefined)

/** Throws a `Finding` unless the condition holds. */
export function expect(holds: unknown, asked: string, expected: string, came: unknown): asserts holds {
  if (!holds) throw new Finding(asked, expected, brief(came))
}

/** A value as one line of a report: at most 240 characters. */
export function brief(value: unknown): string {
  const text = typeof value === 'string' ? value : (JSON.stringify(value) ?? 'nothing')
  const line = stripControls(text).replace(/\s+/g, ' ').trim() || 'nothing'
  return line.length > 240 ? `${line.slice(0, 240)}…` : line
}
