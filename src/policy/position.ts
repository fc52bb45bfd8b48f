/**
 * Where a reader is in its job's log, and what a reading of that log means to it: the whole truth about "each event once,
 * in order" (PROTOCOL.md §6). Pure. Because of it any overlap is harmless: two links, a link and a look, a reading and its replacement.
 */

import { TAIL } from '../protocol/rules.ts'

export interface Position {
  /** Undefined until a `subscribed` has told it. */
  readonly epoch: string | undefined
  /** The last event had; 0: none. */
  readonly seq: number
  /** The next `after`: a cursor, `tail`, or undefined for the oldest retained. */
  readonly cursor: string | undefined
  /** Epochs that this reader has left: their frames are dropped. */
  readonly left: readonly string[]
}

/** Where a reading begins: what `subscribed` tells. */
export type Place = { readonly epoch: string; readonly seq: number; readonly cursor: string }

export interface Gap {
  missed: number | undefined
  reason: 'retention' | 'epoch'
}

export const startingAt = (after: string | undefined): Position => ({ epoch: undefined, seq: 0, cursor: after, left: [] })

/** Whether a reading was asked for from where the reader is in its epoch, or from before that: `tail`, or the cursor of another reader, may be further on. */
const asksFor = (position: Position, asked: Position): boolean =>
  asked.cursor === position.cursor || (asked.epoch === position.epoch && asked.seq <= position.seq)

/** What `subscribed` means to a reader that has no position yet: only a reading asked for at its very cursor is its own. */
function begin(position: Position, told: Place, asked: Position): { position: Position; gap?: Gap } | undefined {
  const { cursor } = position
  if (asked.cursor !== cursor) return undefined
  const begun = { epoch: told.epoch, seq: told.seq, cursor: told.cursor, left: [] }
  if (cursor === TAIL) return { position: begun }
  if (cursor === undefined) return told.seq > 0 ? { position: begun, gap: { missed: told.seq, reason: 'retention' } } : { position: begun }
  // A log read from its very start was not cut short: the cursor was of another epoch.
  return told.cursor === cursor ? { position: begun } : { position: begun, gap: { missed: undefined, reason: told.seq > 0 ? 'retention' : 'epoch' } }
}

/**
 * Takes the beginning of a reading that was asked for at `asked`: the position to go on from, with the gap where history was lost;
 * undefined where the reading is not this reader's, who ignores it and asks again from its own cursor.
 */
export function accept(position: Position, told: Place, asked: Position): { position: Position; gap?: Gap } | undefined {
  if (position.epoch === undefined) return begin(position, told, asked)
  const { epoch, seq, cursor } = told
  if (epoch === position.epoch) {
    if (seq <= position.seq) return { position }
    return asked.cursor === undefined || asksFor(position, asked)
      ? { position: { ...position, seq, cursor }, gap: { missed: seq - position.seq, reason: 'retention' } }
      : undefined
  }
  // Only the answer to a question from within the reader's epoch is later than that epoch: any other may have been under way since before it.
  if (position.left.includes(epoch) || !asksFor(position, asked)) return undefined
  return { position: { epoch, seq, cursor, left: [...position.left, position.epoch] }, gap: { missed: undefined, reason: 'epoch' } }
}
