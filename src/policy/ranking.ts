/** In which order transports are tried, and what their past has to do with it. Pure. */

/** A link that lasted this long has been useful: its transport is taken again at once. */
export const USEFUL_LIFE_MS = 5000
/** So many short lives in a row demote a transport, */
const SHORT_LIVES = 2
/** for so long; each further one doubles it, */
export const DEMOTION_MS = 60_000
/** up to this: nothing is given up for good. */
export const MAX_DEMOTION_MS = 1_800_000

/** What is held against a transport. */
export interface TransportRecord {
  /** In a row. */
  readonly shortLives: number
  /** In ms since 1970. */
  readonly demotedUntil: number
}

export type Records = Readonly<Record<string, TransportRecord>>

/** What has to be known to rank transports. */
export interface Ranked {
  /** Those that are there, best first. */
  readonly order: readonly string[]
  readonly records: Records
}

/** The records with one more short life of the transport; a connection that opened and sent nothing is one. */
export function recordShortLife(records: Records, transport: string, now: number): Records {
  const shortLives = (records[transport]?.shortLives ?? 0) + 1
  const demotedUntil = shortLives < SHORT_LIVES ? 0 : now + Math.min(MAX_DEMOTION_MS, DEMOTION_MS * 2 ** (shortLives - SHORT_LIVES))
  return { ...records, [transport]: { shortLives, demotedUntil } }
}

/** The records after a useful life of the transport. */
export const recordUsefulLife = (records: Records, transport: string): Records => ({ ...records, [transport]: { shortLives: 0, demotedUntil: 0 } })

/** Ranks transports by preference; demoted ones come last. */
export function ranking({ order, records }: Ranked, now: number): string[] {
  const demoted = (name: string): number => ((records[name]?.demotedUntil ?? 0) > now ? 1 : 0)
  return [...order].sort((a, b) => demoted(a) - demoted(b))
}

/** Those that rank above the transport; all where there is none. */
export function betterThan(ranked: Ranked, transport: string | undefined, now: number): string[] {
  const names = ranking(ranked, now)
  return transport === undefined || !names.includes(transport) ? names : names.slice(0, names.indexOf(transport))
}
