/**
 * What is remembered for a base URL and type of network: which transport won, and which ones failed. It expires after a day, and is waited
 * for no longer than 50 ms.
 */

import { now } from '../async/clock.ts'
import { withTimeout } from '../async/signals.ts'
import { MAX_DEMOTION_MS, type TransportRecord } from '../policy/ranking.ts'
import type { Memory } from '../types.ts'

export interface Winner {
  /** The winner's name. */
  transport: string
  /** From its start to its first frame. */
  latencyMs: number
  /** When it won, in ms since 1970. */
  at: number
  /** What is known of all transports, by their names. */
  records: Readonly<Record<string, TransportRecord>>
}

const MAX_AGE_MS = 24 * 3600 * 1000
const MAX_WAIT_MS = 50
/** A longer latency is not believed: the first probe timeout is computed from it. */
const MAX_LATENCY_MS = 3600 * 1000

const isWinner = (value: unknown): value is Winner => {
  const { transport, latencyMs, at, records } = (value ?? {}) as Partial<Record<keyof Winner, unknown>> // as: anything may be stored there; each field is checked
  const isRecent = isWithin(at, now() - MAX_AGE_MS + 1, now())
  return isRecent && typeof transport === 'string' && isWithin(latencyMs, 0, MAX_LATENCY_MS) && Object.values(records ?? [undefined]).every(isRecord)
}

const isWithin = (value: unknown, least: number, most: number): boolean => typeof value === 'number' && value >= least && value <= most

const isRecord = (value: unknown): boolean => {
  const { shortLives, demotedUntil } = (value ?? {}) as Partial<TransportRecord> // as: the same
  return isWithin(shortLives, 0, Infinity) && isWithin(demotedUntil, 0, now() + MAX_DEMOTION_MS)
}

/** What is remembered. `undefined` where there is nothing, or nothing valid; after a failure, 50 ms without an answer, or an abort. */
export async function recallWinner(memory: Memory, key: string, signal: AbortSignal): Promise<Winner | undefined> {
  try {
    // `indexedDB.open` may never answer (WebKit bug 226547).
    const value = await withTimeout(
      async () => memory.read(key),
      MAX_WAIT_MS,
      signal,
      () => undefined
    )
    return isWinner(value) ? value : undefined
  } catch {
    return undefined // the memory is a hint: its failure is not an error
  }
}

/** Stores the winner. Never rejects. */
export async function rememberWinner(memory: Memory, key: string, winner: Winner): Promise<void> {
  try {
    await memory.write(key, winner)
  } catch {
    // the memory is a hint: its failure is not an error
  }
}
