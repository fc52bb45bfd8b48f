/**
 * Where a reader of a foreign stream is: how many events it has had, the server's own id of the last that had one, and how many have come since then
 * without. All of it is the event's cursor, `{seq}.{since}.{id}`, so that it outlives a page.
 */

export interface StreamPlace {
  seq: number
  /** Events without an id since the last that had one; where there is none, since the beginning. */
  since: number
  /** The server's own; undefined before the first. */
  id: string | undefined
}

export const CURSOR: RegExp = /^(tail|\d+\.\d+(\..*)?)$/s

export function streamPlaceOf(after: string | undefined): StreamPlace {
  const [, seq = '0', since = '0', , id] = /^(\d+)\.(\d+)(\.(.*))?$/s.exec(after ?? '') ?? []
  return { seq: Number(seq), since: Number(since), id }
}

export const cursorOf = ({ seq, since, id }: StreamPlace): string => `${seq}.${since}${id === undefined ? '' : `.${id}`}`
