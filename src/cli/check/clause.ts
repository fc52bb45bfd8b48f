/** A clause of PROTOCOL.md that can be put to a server, and what may come of it. */

import { plain } from '../terminal/plain.ts'
import type { World } from './world.ts'

/** The four readings by their transports' names, and what is beside them. */
export const GROUPS = ['resources', 'short-poll', 'long-poll', 'sse', 'websocket'] as const
export type Group = (typeof GROUPS)[number] | 'log'

export interface Clause {
  id: string
  group: Group
  /** Of PROTOCOL.md. */
  section: string
  /** What the protocol has a server do. */
  says: string
  /** Resolves where it is met; throws a `Finding` or a `LeftOut` else. */
  check(world: World): Promise<void>
}

/** Makes the clauses of one group. */
export const clauseOf =
  (group: Group) =>
  (id: string, section: string, says: string, check: Clause['check']): Clause => ({ id, group, section, says, check })

/** A server that does otherwise: what it was asked, what the protocol has it answer, what came. */
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

/** A clause that could not be put to this server: neither met nor broken. */
export class LeftOut extends Error {}

/** What another clause speaks of: without it this one has nothing to look at. */
export function need<T>(value: T, reason: string): Exclude<T, false | null | undefined> {
  if (!value) throw new LeftOut(reason)
  return value as Exclude<T, false | null | undefined> // as: what is false, null or undefined has just been thrown for
}

/** What one reading can't say another one may. */
export const attempt = <T>(look: () => Promise<T>): Promise<T | undefined> => look().catch(() => undefined)

/** A finding unless it holds. */
export function expect(holds: unknown, asked: string, expected: string, came: unknown): asserts holds {
  if (!holds) throw new Finding(asked, expected, brief(came))
}

/** A value in a line of a report. */
export function brief(value: unknown): string {
  const text = typeof value === 'string' ? value : (JSON.stringify(value) ?? 'nothing')
  const line = plain(text).replace(/\s+/g, ' ').trim() || 'nothing'
  return line.length > 240 ? `${line.slice(0, 240)}…` : line
}
