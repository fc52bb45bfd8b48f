/** Which transport won at a base URL, on one type of network, and what is held against the others: a hint that goes bad after a day, and that nobody waits for long. */

import { now } from '../async/clock.ts'
import { delay } from '../async/signals.ts'
import { MAX_DEMOTION_MS, type TransportRecord } from '../policy/ranking.ts'
import type { Memory } from '../types.ts'

export interface Winner {
  transport: string
  /** From the start of its probe to its first frame. */
  latencyMs: number
  /** When, in ms since 1970. */
  at: number
  /** By the transports' names. */
  records: Readonly<Record<string, TransportRecord>>
}

const MAX_AGE_MS = 24 * 3600 * 1000
const MAX_WAIT_MS = 50
/** The longest latency believed. Patience starts from it. */
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

/** What was remembered; undefined for nothing, nothing of use, a failure, no answer within 50 ms, or an abort. */
export async function recallWinner(memory: Memory, key: string, signal: AbortSignal): Promise<Winner | undefined> {
  let value: unknown
  const read = async (): Promise<void> => {
    value = await memory.read(key)
  }
  const reading = read().catch(() => {}) // a hint not to be had is no error
  try {
    // indexedDB.open may never answer (WebKit bug 226547).
    await delay(MAX_WAIT_MS, signal, reading)
    if (isWinner(value)) return value
  } catch {
    // nor is one of another kind
  }
  return undefined
}

export async function rememberWinner(memory: Memory, key: string, winner: Winner): Promise<void> {
  try {
    await memory.write(key, winner)
  } catch {
    // a hint not kept is no error
  }
}
