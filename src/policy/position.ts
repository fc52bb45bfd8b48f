/**
 * Where a reader is in its job's log, and what a reading of that log means to it: the whole truth about "each event once,
 * in order" (PROTOCOL.md §6). Pure. Because of it any overlap is harmless: two links, a link and a single read, a reading and its replacement.
 */

import { TAIL } from '../protocol/rules.ts'
import type { Gap, Position } from '../types.ts'

/** Where a reading begins: what `subscribed` tells. */
export type Place = { readonly epoch: string; readonly seq: number; readonly cursor: string }

export const startingAt = (after: string | undefined): Position => ({ epoch: undefined, seq: 0, cursor: after, left: [] })

/** Where a reading was asked for. */
export type Origin = Pick<Position, 'epoch' | 'seq' | 'cursor'>

export interface Accepted {
  position: Position
  /** What was lost on the way there. */
  gap?: Gap
}

/** Whether a reading was asked for from where the reader is in its epoch, or from before that: `tail`, or the cursor of another reader, may be further on. */
const asksFor = ({ epoch, seq, cursor }: Position, asked: Origin): boolean => asked.cursor === cursor || (asked.epoch === epoch && asked.seq <= seq)

/** What `subscribed` means to a reader that has no position yet: only a reading asked for at its very cursor is its own. */
function begin({ cursor }: Position, told: Place, asked: Origin): Accepted | undefined {
  if (asked.cursor !== cursor) return undefined
  const position = { ...told, left: [] }
  if (cursor === TAIL || cursor === told.cursor || (cursor === undefined && told.seq === 0)) return { position }
  // A log read from its very start was not cut short: the cursor was of another epoch.
  return { position, gap: { missed: cursor === undefined ? told.seq : undefined, reason: told.seq > 0 ? 'retention' : 'epoch' } }
}

/**
 * Takes the beginning of a reading that was asked for at `asked`: the position to go on from, with the gap where history was lost;
 * undefined where the reading is not this reader's, who ignores it and asks again from its own cursor.
 */
export function accept(position: Position, told: Place, asked: Origin): Accepted | undefined {
  const { epoch, seq, left } = position
  if (epoch === undefined) return begin(position, told, asked)
  if (epoch === told.epoch) {
    const missed = told.seq - seq
    if (missed <= 0) return { position }
    if (asked.cursor !== undefined && !asksFor(position, asked)) return undefined
    return { position: { ...told, left }, gap: { missed, reason: 'retention' } }
  }
  // Only the answer to a question from within the reader's epoch is later than that epoch: any other may have been under way since before it.
  if (left.includes(told.epoch) || !asksFor(position, asked)) return undefined
  return { position: { ...told, left: [...left, epoch] }, gap: { missed: undefined, reason: 'epoch' } }
}
