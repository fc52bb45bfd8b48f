/** The order in which transports are tried, and how their history changes it. Pure. */

/** A link that lived this long was useful: its transport is tried again at once. */
export const USEFUL_LIFE_MS = 5000
/** This many short lives in a row demote a transport. */
const SHORT_LIVES = 2
/** The first demotion lasts this long; each further short life doubles it. */
export const DEMOTION_MS = 60_000
/** The longest demotion. No transport is given up for good. */
export const MAX_DEMOTION_MS = 1_800_000

/** The history of one transport. */
export interface TransportRecord {
  /** How many links in a row lived shortly. */
  readonly shortLives: number
  /** Until when it ranks below the others, in ms since 1970; 0: it does not. */
  readonly demotedUntil: number
}

/** The history of transports, by name. */
export type Records = Readonly<Record<string, TransportRecord>>

/** What transports are ranked by. */
export interface Ranked {
  /** The names of the available transports, in order of preference. */
  readonly order: readonly string[]
  /** Their history. */
  readonly records: Records
}

/** Adds a short life to the transport's history. A link that opened but delivered nothing counts as one. */
export function recordShortLife(records: Records, transport: string, now: number): Records {
  const shortLives = (records[transport]?.shortLives ?? 0) + 1
  const demotedUntil = shortLives < SHORT_LIVES ? 0 : now + Math.min(MAX_DEMOTION_MS, DEMOTION_MS * 2 ** (shortLives - SHORT_LIVES))
  return { ...records, [transport]: { shortLives, demotedUntil } }
}

/** Clears the transport's history after a useful life. */
export const recordUsefulLife = (records: Records, transport: string): Records => ({ ...records, [transport]: { shortLives: 0, demotedUntil: 0 } })

/** Ranks transports by preference; demoted ones come last. */
export function ranking({ order, records }: Ranked, now: number): string[] {
  const demoted = (name: string): number => ((records[name]?.demotedUntil ?? 0) > now ? 1 : 0)
  return [...order].sort((a, b) => demoted(a) - demoted(b))
}

/** The transports that rank above this one; all of them where it is `undefined`. */
export function betterThan(ranked: Ranked, transport: string | undefined, now: number): string[] {
  const names = ranking(ranked, now)
  return transport === undefined || !names.includes(transport) ? names : names.slice(0, names.indexOf(transport))
}
