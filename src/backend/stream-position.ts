/**
 * A reader's position in another server's stream. It is encoded in each event's cursor, `{seq}.{since}~{first}!{end}.{id}`, so that it
 * survives a reload. The parts that are not known are left out.
 */

/** A position in a stream. */
export interface StreamPosition {
  /** How many events were received. */
  seq: number
  /** How many messages without an id came since the last one that had one; where none had one, since the beginning. */
  since: number
  /** A hash of the first id that was received. A server that tells it again has begun anew. */
  first: string | undefined
  /** The type of the terminal event, where that was received. */
  end: string | undefined
  /** The server's own id of the last message that had one; `undefined` before the first. */
  id: string | undefined
}

/** The form of these cursors. No header can carry an id with control characters. */
export const CURSOR: RegExp = /^(tail|(\d+)\.(\d+)(~(\w+))?(!(succeeded|failed|cancelled))?(\.(\P{Cc}+))?)$/u

/** Decodes a cursor. */
export function streamPositionOf(after: string | undefined): StreamPosition {
  const [, , seq = '0', since = '0', , first, , end, , id] = CURSOR.exec(after ?? '') ?? []
  return { seq: Number(seq), since: Number(since), first, end, id }
}

const part = (mark: string, value: string | undefined): string => (value === undefined ? '' : mark + value)

/** Encodes a position. */
export const cursorOf = ({ seq, since, first, end, id }: StreamPosition): string => `${seq}.${since}${part('~', first)}${part('!', end)}${part('.', id)}`
