/** A reader's position in another server's stream. It is encoded in each event's cursor, `{seq}.{since}.{id}`, so that it survives a reload. */

/** A position in a stream. */
export interface StreamPosition {
  /** How many events were received. */
  seq: number
  /** How many messages without an id came since the last one that had one; where none had one, since the beginning. */
  since: number
  /** The server's own id of the last message that had one; `undefined` before the first. */
  id: string | undefined
}

/** The form of these cursors. */
export const CURSOR: RegExp = /^(tail|\d+\.\d+(\..*)?)$/s

/** Decodes a cursor. */
export function streamPositionOf(after: string | undefined): StreamPosition {
  const [, seq = '0', since = '0', , id] = /^(\d+)\.(\d+)(\.(.*))?$/s.exec(after ?? '') ?? []
  return { seq: Number(seq), since: Number(since), id }
}

/** Encodes a position. */
export const cursorOf = ({ seq, since, id }: StreamPosition): string => `${seq}.${since}${id === undefined ? '' : `.${id}`}`
