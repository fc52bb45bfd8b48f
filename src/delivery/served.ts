/** Which readers a link serves where it stands, and for which one it is requested next. */

import type { LogPosition } from '../policy/position.ts'
import type { Reader } from '../types.ts'

/** The reader to request a job for: one without a position, otherwise the one furthest back in its epoch. */
export function furthestBack(readers: readonly Reader[]): Reader | undefined {
  const epochs = [...new Set(readers.map(({ position }) => position.epoch))]
  // A link requested for a reader in one epoch does not serve readers in another, and epochs have no order. A fixed choice might be wrong
  // for ever, and a choice by the number of readers for very long; so it is random.
  const chosen = epochs.includes(undefined) ? undefined : epochs[Math.floor(Math.random() * epochs.length)]
  return readers.filter(({ position }) => position.epoch === chosen).sort((a, b) => a.position.seq - b.position.seq)[0]
}

/**
 * Whether a link at this place is at the reader's position, or will reach it. A reader without a position gets the link's, where it wants to
 * start exactly there.
 */
export function serves(at: LogPosition | undefined, reader: Reader): boolean {
  if (at && !reader.position.epoch && reader.position.cursor === at.cursor) reader.position = { ...at, left: [] }
  const { epoch, seq } = reader.position
  return !!at && epoch === at.epoch && seq >= at.seq
}
