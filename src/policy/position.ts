/**
 * A reader's position in its job's log, and what a reading of the log means to it. This alone guarantees "each event once, in order"
 * (PROTOCOL.md §6), so readings may overlap: two links, a link and a single read, a reading and its replacement. Pure.
 */

import { TAIL } from '../protocol/rules.ts'
import type { Gap, Position } from '../types.ts'

/** A known position in a log, as `subscribed` tells it. */
export type LogPosition = { readonly epoch: string; readonly seq: number; readonly cursor: string }

/** The position of a reader that starts after a cursor; `undefined`: at the oldest event retained. */
export const startingAt = (after: string | undefined): Position => ({ epoch: undefined, seq: 0, cursor: after, left: [] })

/** The position that a snapshot tells. */
export const positionOf = ({ epoch, seq, cursor }: LogPosition): Position => ({ epoch, seq, cursor, left: [] })

/** The position that a reading was requested from. */
export type Origin = Pick<Position, 'epoch' | 'seq' | 'cursor'>

/** What a reading means to a reader that accepts it. */
export interface Accepted {
  /** Where the reader goes on. */
  position: Position
  /** The history that it has lost before that position. */
  gap?: Gap
}

/**
 * Whether a reading requested from `origin` covers all that the reader still needs: it was requested from the reader's position in its
 * epoch, or from before it. `tail`, or another reader's cursor, may be further on.
 */
const covers = ({ epoch, seq, cursor }: Position, origin: Origin): boolean => origin.cursor === cursor || (origin.epoch === epoch && origin.seq <= seq)

/** What `subscribed` means to a reader without a position: it accepts only a reading that was requested from its own cursor. */
function acceptFirst({ cursor }: Position, start: LogPosition, origin: Origin): Accepted | undefined {
  if (origin.cursor !== cursor) return undefined
  const position = { ...start, left: [] }
  if (cursor === TAIL || cursor === start.cursor || (cursor === undefined && start.seq === 0)) return { position }
  // A reading that begins at seq 0 has lost nothing to retention, so the cursor must be of another epoch.
  return { position, gap: { missed: cursor === undefined ? start.seq : undefined, reason: start.seq > 0 ? 'retention' : 'epoch' } }
}

/**
 * Decides what a reading means to a reader. The reading was requested from `origin` and begins at `start`. Returns the position to go on
 * from, and the gap where history was lost. Returns `undefined` where the reader ignores this reading and requests its own.
 */
export function accept(position: Position, start: LogPosition, origin: Origin): Accepted | undefined {
  const { epoch, seq, left } = position
  if (epoch === undefined) return acceptFirst(position, start, origin)
  if (epoch === start.epoch) {
    const missed = start.seq - seq
    if (missed <= 0) return { position }
    if (origin.cursor !== undefined && !covers(position, origin)) return undefined
    return { position: { ...start, left }, gap: { missed, reason: 'retention' } }
  }
  // A reading that was requested from within the reader's epoch is newer than that epoch. Any other may be an old answer, from before that
  // epoch began.
  if (left.includes(start.epoch) || !covers(position, origin)) return undefined
  return { position: { ...start, left: [...left, epoch] }, gap: { missed: undefined, reason: 'epoch' } }
}
