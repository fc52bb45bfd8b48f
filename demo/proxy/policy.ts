/** What the faults mean for one exchange: pure, so that time and chance are arguments. */

import type { IncomingMessage } from 'node:http'
import { type Faults, KILL_AFTER_MS, type Opening, type Path } from './faults.ts'
import type { ValveMode } from './valve.ts'

export type ExchangeKind = 'websocket' | 'stream' | 'request'

/** One exchange's past, in ms of one clock. */
export interface Past {
  kind: ExchangeKind
  /** When its connection was made, which it may share with others before it. */
  bornAt: number
  startedAt: number
  /** When its answer's head went out: `Infinity` before that. */
  begunAt: number
  lastByteAt: number
  /** When chance ends it: `Infinity` where it doesn't. */
  resetAt: number
}

/** What a request asks for, told as a gateway can. */
export function pathOf({ url = '', headers: { accept = '', prefer = '', upgrade } }: IncomingMessage): Path {
  if (upgrade !== undefined) return 'websocket'
  if (accept.includes('text/event-stream')) return 'sse'
  return /[?&]wait=/.test(url) || String(prefer).includes('wait=') ? 'long-poll' : 'short-poll'
}

const openingOf = (kind: ExchangeKind, { webSocket, http }: Faults): Opening => (kind === 'websocket' ? webSocket : http)

/** From when the life of what carries it counts. */
const lifeFrom = ({ kind, bornAt, begunAt }: Past): number => (kind === 'request' ? bornAt : begunAt)

/** How its bytes pass now, and when that changes of itself. */
export function flow(past: Past, faults: Faults, now: number): { mode: ValveMode; until: number } {
  const { kind, begunAt } = past
  const opening = openingOf(kind, faults)
  const diesAt = faults.deadAfterMs > 0 ? lifeFrom(past) + faults.deadAfterMs : Number.POSITIVE_INFINITY
  const mute = begunAt <= now ? opening === 'mute' || (opening === 'kill' && kind === 'request') : opening === 'unanswered'
  if (faults.stalled || mute || diesAt <= now) return { mode: 'shut', until: Number.POSITIVE_INFINITY }
  return { mode: kind === 'stream' && faults.bufferStreams ? 'until-end' : 'open', until: diesAt }
}

/** When it ends before its time, and whether as a gateway's timeout, a cut connection, or one that is reset. */
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

/** A moment to reset at, exponentially distributed around `meanMs`. */
export const randomReset = (meanMs: number, now: number, random: () => number): number =>
  meanMs > 0 ? now + 1 - Math.log(1 - random()) * meanMs : Number.POSITIVE_INFINITY
