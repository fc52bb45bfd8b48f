/** What the faults do to one exchange. Pure functions: time and chance are arguments. */

import type { IncomingMessage } from 'node:http'
import { type Faults, KILL_AFTER_MS, type Opening, type Path } from './faults.ts'
import type { ValveMode } from './valve.ts'

export type ExchangeKind = 'websocket' | 'stream' | 'request'

/** The past of one exchange, in ms of one clock. */
export interface Past {
  kind: ExchangeKind
  /** When its connection was made. Earlier requests may have used that too. */
  bornAt: number
  startedAt: number
  /** When its answer's head was sent; `Infinity` before that. */
  begunAt: number
  lastByteAt: number
  /** When `resetAfterMs` resets it; `Infinity`: never. */
  resetAt: number
}

/** The path that a request belongs to, judged by its headers and URL, as a gateway would. */
export function pathOf({ url = '', headers: { accept = '', prefer = '', upgrade } }: IncomingMessage): Path {
  if (upgrade !== undefined) return 'websocket'
  if (accept.includes('text/event-stream')) return 'sse'
  return /[?&]wait=/.test(url) || String(prefer).includes('wait=') ? 'long-poll' : 'short-poll'
}

const openingOf = (kind: ExchangeKind, { webSocket, http }: Faults): Opening => (kind === 'websocket' ? webSocket : http)

/** The start of the age that `deadAfterMs` and `cutAfterMs` count. */
const lifeFrom = ({ kind, bornAt, begunAt }: Past): number => (kind === 'request' ? bornAt : begunAt)

/** How bytes pass now, and until when that holds. */
export function flow(past: Past, faults: Faults, now: number): { mode: ValveMode; until: number } {
  const { kind, begunAt } = past
  const opening = openingOf(kind, faults)
  const diesAt = faults.deadAfterMs > 0 ? lifeFrom(past) + faults.deadAfterMs : Number.POSITIVE_INFINITY
  const mute = begunAt <= now ? opening === 'mute' || (opening === 'kill' && kind === 'request') : opening === 'unanswered'
  if (faults.stalled || mute || diesAt <= now) return { mode: 'shut', until: Number.POSITIVE_INFINITY }
  return { mode: kind === 'stream' && faults.bufferStreams ? 'until-end' : 'open', until: diesAt }
}

/** When the faults end the exchange, and how: by a gateway's timeout, a cut, or a reset. */
export function ending(past: Past, faults: Faults): { at: number; as: 'cut' | 'reset' | 'timeout' } {
  const { kind, startedAt, begunAt, lastByteAt, resetAt } = past
  const opening = openingOf(kind, faults)
  const hasBegun = begunAt < Number.POSITIVE_INFINITY
  const cuts = [Number.POSITIVE_INFINITY]
  if (faults.cutAfterMs > 0) cuts.push(lifeFrom(past) + faults.cutAfterMs)
  if (faults.idleLimitMs > 0) cuts.push(lastByteAt + faults.idleLimitMs)
  if (opening === 'kill') cuts.push(begunAt + KILL_AFTER_MS)
  if (opening === 'refuse' || (opening === 'unanswered' && hasBegun)) cuts.push(startedAt)
  const isLimited = faults.requestLimitMs > 0 && !(kind === 'websocket' && hasBegun)
  const endings = [
    { at: Math.min(...cuts), as: 'cut' },
    { at: opening === 'reset' ? startedAt : resetAt, as: 'reset' },
    { at: isLimited ? startedAt + faults.requestLimitMs : Number.POSITIVE_INFINITY, as: 'timeout' }
  ] as const
  return endings.reduce((first, each) => (each.at < first.at ? each : first))
}

/** A random time to reset at, exponentially distributed with the mean `meanMs`. */
export const randomReset = (meanMs: number, now: number, random: () => number): number =>
  meanMs > 0 ? now + 1 - Math.log(1 - random()) * meanMs : Number.POSITIVE_INFINITY
