/** What the faults mean for one exchange: pure, so that time and chance are arguments. */

import { type Faults, KILL_AFTER_MS } from './faults.ts'
import type { ValveMode } from './valve.ts'

export type ExchangeKind = 'websocket' | 'stream' | 'request'

/** One exchange's past, in ms of one clock. */
export interface Past {
  kind: ExchangeKind
  startedAt: number
  /** When its answer's head went out: `Infinity` before that. */
  begunAt: number
  lastByteAt: number
  /** When chance ends it: `Infinity` where it doesn't. */
  resetAt: number
}

/** How its bytes pass now, and when that changes of itself. */
export function flow({ kind, begunAt }: Past, faults: Faults, now: number): { mode: ValveMode; until: number } {
  const diesAt = faults.deadAfterMs > 0 ? begunAt + faults.deadAfterMs : Number.POSITIVE_INFINITY
  const mute = kind === 'websocket' && faults.webSocket === 'mute' && begunAt <= now
  if (faults.stalled || mute || diesAt <= now) return { mode: 'shut', until: Number.POSITIVE_INFINITY }
  return { mode: kind === 'stream' && faults.bufferStreams ? 'until-end' : 'open', until: diesAt }
}

/** When it ends before its time, and whether as a gateway's timeout or a cut connection. */
export function ending({ kind, startedAt, begunAt, lastByteAt, resetAt }: Past, faults: Faults): { at: number; as: 'cut' | 'timeout' } {
  const cuts = [resetAt]
  if (faults.cutAfterMs > 0) cuts.push(begunAt + faults.cutAfterMs)
  if (faults.idleLimitMs > 0) cuts.push(lastByteAt + faults.idleLimitMs)
  if (kind === 'websocket' && faults.webSocket === 'kill') cuts.push(begunAt + KILL_AFTER_MS)
  if (kind === 'websocket' && (faults.webSocket === 'refuse' || faults.webSocket === 'unanswered') && begunAt < Number.POSITIVE_INFINITY) cuts.push(startedAt)
  const cutAt = Math.min(...cuts)
  const timeoutAt = kind !== 'websocket' && faults.requestLimitMs > 0 ? startedAt + faults.requestLimitMs : Number.POSITIVE_INFINITY
  return timeoutAt < cutAt ? { at: timeoutAt, as: 'timeout' } : { at: cutAt, as: 'cut' }
}

/** A moment to reset at, exponentially distributed around `meanMs`. */
export const randomReset = (meanMs: number, now: number, random: () => number): number =>
  meanMs > 0 ? now + 1 - Math.log(1 - random()) * meanMs : Number.POSITIVE_INFINITY
