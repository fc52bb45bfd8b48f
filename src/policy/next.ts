/**
 * What to try next: pure. The connection records how each of its rounds ended, asks, and carries out the answer.
 * A round is a set of candidates probed together, and the life of the one that won.
 */

import type { FailureReason, RetryOptions } from '../types.ts'
import { backoffMs } from './backoff.ts'

/** A live link that lasted this long has been useful: the same transport is taken again at once. */
export const USEFUL_LIFE_MS = 5000
/** So many short lives in a row rank a transport below the others, */
const SHORT_LIVES = 2
/** for so long. */
export const DEMOTION_MS = 60_000

/** How one candidate failed. */
export interface Failure {
  transport: string
  reason: FailureReason
  status?: number | undefined
  message: string
}

/** How a round ended. */
export type Outcome =
  /** Nobody needed it any more. */
  | { kind: 'released' }
  /** No candidate delivered. */
  | { kind: 'failed'; failures: readonly Failure[] }
  /** The live link ended by itself; `livedMs` from its proof to the last that was known of it, which is before a silence. */
  | { kind: 'lost'; livedMs: number; events: number }
  /** The server asked for a pause: exactly so long at least (`Retry-After`), or a random time up to it (`bye`). */
  | { kind: 'told'; atLeastMs: number | undefined; upToMs: number | undefined }
  /** The token was refused, and there is a new one. */
  | { kind: 'reauthorized' }

export interface History {
  /** The supported transports, best first. */
  readonly order: readonly string[]
  /** What worked last time, in memory or in this page: it goes first. */
  readonly favourite: string | undefined
  readonly last: Outcome | undefined
  /** Rounds in a row that delivered nothing. */
  readonly failures: number
  readonly records: Readonly<Record<string, { shortLives: number; demotedUntil: number }>>
}

/** What comes before the next round. */
export type Step =
  | { do: 'wait'; ms: number; reason: string }
  /** The attempts are used up. */
  | { do: 'give-up'; failures: readonly Failure[] }
  /** Every path gave the same 4xx: asking again won't help. */
  | { do: 'throw'; status: number; failures: readonly Failure[] }

export const emptyHistory = (order: readonly string[]): History => ({ order, favourite: undefined, last: undefined, failures: 0, records: {} })

/** The history with one more round in it, which `transport` carried at its end. */
export function record(history: History, outcome: Outcome, transport: string | undefined, now: number): History {
  const next = { ...history, last: outcome, favourite: transport }
  switch (outcome.kind) {
    case 'failed':
      return { ...next, failures: history.failures + 1 }
    case 'lost':
      return recordLife(next, outcome, transport, now)
    case 'told':
      return { ...next, failures: outcome.atLeastMs === undefined ? 0 : history.failures + 1 }
    case 'released':
    case 'reauthorized':
      return next
    default:
      return outcome satisfies never
  }
}

function recordLife(history: History, { livedMs, events }: { livedMs: number; events: number }, transport = '', now: number): History {
  const useful = livedMs >= USEFUL_LIFE_MS
  const shortLives = useful ? 0 : (history.records[transport]?.shortLives ?? 0) + 1
  const demotedUntil = shortLives >= SHORT_LIVES ? now + DEMOTION_MS : 0
  return {
    ...history,
    favourite: useful ? transport : undefined,
    // A life that brought nothing resets nothing: an endpoint that opens and dies would be tried at full speed for ever.
    failures: useful || events > 0 ? 0 : history.failures + 1,
    records: { ...history.records, [transport]: { shortLives, demotedUntil } }
  }
}

/** Best first, those in disgrace last. */
export function ranking({ order, records }: History, now: number): string[] {
  const demoted = (name: string): number => ((records[name]?.demotedUntil ?? 0) > now ? 1 : 0)
  return [...order].sort((a, b) => demoted(a) - demoted(b))
}

/** Somebody's patience, or somebody's limit: the same request may be answered later (RFC 9110 §15.5.9, RFC 6585 §4). */
export const isPassing = (status: number): boolean => status >= 500 || status === 408 || status === 429

/** The 4xx that every candidate with a vote gave, and that asking again won't change. A WebSocket has no vote: browsers hide what refused it. */
function unanimous(failures: readonly Failure[]): number | undefined {
  const votes = failures.filter(({ transport }) => transport !== 'websocket')
  const status = votes[0]?.status
  return status !== undefined && status >= 400 && !isPassing(status) && votes.every((vote) => vote.status === status) ? status : undefined
}

/** What the end of the last round asks for before the next one; undefined: nothing. */
export function next(history: History, retry: Required<RetryOptions>, random: () => number): Step | undefined {
  const { last, failures } = history
  switch (last?.kind) {
    case undefined:
    case 'released':
    case 'reauthorized':
      return undefined
    case 'failed': {
      const status = unanimous(last.failures)
      if (status !== undefined) return { do: 'throw', status, failures: last.failures }
      if (failures >= retry.attempts) return { do: 'give-up', failures: last.failures }
      return { do: 'wait', ms: backoffMs(failures - 1, retry, random), reason: 'no transport delivered' }
    }
    case 'lost': {
      if (last.livedMs >= USEFUL_LIFE_MS) return undefined
      if (failures > 0 && failures >= retry.attempts) return { do: 'give-up', failures: [] }
      return { do: 'wait', ms: backoffMs(Math.max(0, failures - 1), retry, random), reason: 'the connection did not last' }
    }
    case 'told': {
      if (last.atLeastMs === undefined) return { do: 'wait', ms: random() * (last.upToMs ?? retry.baseMs), reason: 'the server is closing connections' }
      return { do: 'wait', ms: last.atLeastMs + backoffMs(failures - 1, retry, random), reason: 'the server is busy' }
    }
    default:
      return last satisfies never
  }
}

/** The candidates of the next round, in the order of their start; `rank` says which of two that deliver is kept. */
export function candidates(history: History, now: number): { candidates: readonly string[]; rank: readonly string[] } {
  const rank = ranking(history, now)
  const { favourite } = history
  const first = favourite !== undefined && rank.includes(favourite) ? [favourite] : []
  return { candidates: [...first, ...rank.filter((name) => name !== favourite)], rank }
}
