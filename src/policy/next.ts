/**
 * What to try next: pure. The connection records how each of its rounds ended, asks, and carries out the answer.
 * A round is a set of candidates probed together, and the life of the one that won.
 */

import type { FailureReason, RetryOptions, WaitReason } from '../types.ts'
import { backoffMs } from './backoff.ts'

/** A live link that lasted this long has been useful: the same transport is taken again at once. */
export const USEFUL_LIFE_MS = 5000
/** So many short lives in a row rank a transport below the others, */
const SHORT_LIVES = 2
/** for so long; each further one doubles it, */
export const DEMOTION_MS = 60_000
/** up to this: nothing is given up for good. */
export const MAX_DEMOTION_MS = 1_800_000
/** First pause before what is better than the live transport is tried again; doubled each time, */
const FIRST_RETRIAL_MS = 5000
/** up to this: what has become possible is had within a minute. */
const MAX_RETRIAL_MS = 45_000

/** How one candidate failed. */
export interface Failure {
  transport: string
  reason: FailureReason
  status?: number | undefined
  message: string
}

/** How a round ended. */
export type End =
  /** Nobody needed it any more, or it is to be begun anew. */
  | { kind: 'released' }
  /** No candidate delivered. */
  | { kind: 'failed'; failures: readonly Failure[] }
  /**
   * The live link ended by itself; `livedMs` from its proof to the last that was known of it, which is before a silence.
   * With `byeMs` the server had said so: come back within a random time up to that.
   */
  | { kind: 'lost'; livedMs: number; events: number; byeMs: number | undefined }
  /** The server asked for a pause of at least so long (`Retry-After`). */
  | { kind: 'busy'; atLeastMs: number }

/** With the transport that carried it at its end, which goes first in the next one. */
export type Outcome = End & { transport: string | undefined }

/** What is held against a transport. */
export interface TransportRecord {
  /** In a row. */
  readonly shortLives: number
  /** In ms since 1970. */
  readonly demotedUntil: number
}

export interface History {
  /** The supported transports, best first. */
  readonly order: readonly string[]
  /** What worked last time, in memory or in this page: it goes first. */
  readonly favourite: string | undefined
  readonly last: End
  /** Rounds in a row that delivered nothing. */
  readonly failures: number
  readonly records: Readonly<Record<string, TransportRecord>>
}

/** What comes before the next round. */
export type Step =
  /** Firm: the server has asked for it. Another pause may be cut short where there is reason to hope. */
  | { do: 'wait'; ms: number; reason: WaitReason; isFirm: boolean }
  /** The attempts are used up; or every path gave the same 4xx, `status`, and asking again won't help. */
  | { do: 'stop'; status: number | undefined; failures: readonly Failure[] }

export const emptyHistory = (order: readonly string[]): History => ({ order, favourite: undefined, last: { kind: 'released' }, failures: 0, records: {} })

/** The history with one more round in it. */
export function record(history: History, last: Outcome, now: number): History {
  const { transport = '' } = last
  const next = { ...history, last, favourite: last.transport }
  if (last.kind === 'released') return next
  if (last.kind !== 'lost') return { ...next, failures: history.failures + 1 }
  const { events, byeMs } = last
  const useful = isUseful(last)
  // A planned close says nothing against the transport.
  const isShort = !useful && byeMs === undefined
  const { records } = isShort ? disappoint(history, transport, now) : history
  return {
    ...next,
    favourite: isShort ? undefined : transport,
    records: useful ? { ...records, [transport]: { shortLives: 0, demotedUntil: 0 } } : records,
    // A life that brought nothing resets nothing: an endpoint that opens and dies would be tried at full speed for ever.
    failures: useful || events > 0 ? 0 : history.failures + 1
  }
}

/** The history with one more short life of this transport in it; to have opened and been mute is one. */
export function disappoint(history: History, transport: string, now: number): History {
  const shortLives = (history.records[transport]?.shortLives ?? 0) + 1
  const demotedUntil = shortLives < SHORT_LIVES ? 0 : now + Math.min(MAX_DEMOTION_MS, DEMOTION_MS * 2 ** (shortLives - SHORT_LIVES))
  return { ...history, records: { ...history.records, [transport]: { shortLives, demotedUntil } } }
}

const isUseful = ({ livedMs }: { livedMs: number }): boolean => livedMs >= USEFUL_LIFE_MS

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
export function next({ last, failures }: History, retry: Required<RetryOptions>, random: () => number): Step | undefined {
  const ms = backoffMs(Math.max(0, failures - 1), retry, random)
  const isGivenUp = failures > 0 && failures >= retry.attempts
  switch (last.kind) {
    case 'released':
      return undefined
    case 'failed': {
      const status = unanimous(last.failures)
      if (status || isGivenUp) return { do: 'stop', status, failures: last.failures }
      return { do: 'wait', ms, reason: 'unreachable', isFirm: false }
    }
    case 'lost': {
      const { byeMs = 0 } = last
      if (isUseful(last)) return byeMs ? { do: 'wait', ms: random() * byeMs, reason: 'bye', isFirm: true } : undefined
      if (isGivenUp) return { do: 'stop', status: undefined, failures: [] }
      return { do: 'wait', ms: Math.max(ms, random() * byeMs), reason: 'unstable', isFirm: byeMs > 0 }
    }
    case 'busy':
      // Everybody was told the same: they come back over as long again.
      return { do: 'wait', ms: last.atLeastMs + Math.max(ms, random() * last.atLeastMs), reason: 'busy', isFirm: true }
    default:
      return last satisfies never
  }
}

/** The candidates of the next round, in the order of their start. */
export function candidates(history: History, now: number): readonly string[] {
  const isFavourite = (name: string): number => (name === history.favourite ? 1 : 0)
  return ranking(history, now).sort((a, b) => isFavourite(b) - isFavourite(a))
}

/** The pause before what is better than the live transport is tried again, after so many such tries: the second half of it is chance. */
export const retrialMs = (tries: number, random: () => number): number => Math.min(MAX_RETRIAL_MS, FIRST_RETRIAL_MS * 2 ** tries) * (0.5 + random() / 2)
