/** A clause of PROTOCOL.md that a check can test. */

import type { CheckContext } from './context.ts'

/** The groups that `--only` names: the readings by their transports' names, and all other resources. */
export const GROUPS = ['resources', 'short-poll', 'long-poll', 'ndjson', 'sse', 'websocket'] as const
export type Group = (typeof GROUPS)[number] | 'log'

export interface Clause {
  id: string
  group: Group
  /** The section of PROTOCOL.md. */
  section: string
  /** What the protocol requires of a server. */
  says: string
  /** Resolves where the server meets the clause. Throws a `Finding` where it doesn't, and a `LeftOut` where that can't be tested. */
  check(context: CheckContext): Promise<void>
}

/** Makes the clauses of one group. */
export const clauseOf =
  (group: Group) =>
  (id: string, section: string, says: string, check: Clause['check']): Clause => ({ id, group, section, says, check })
