/** Which transport won at a base URL: a hint that goes bad after a day, and that nobody waits for long. */

import { now } from '../async/clock.ts'
import { onAbort } from '../async/signals.ts'
import type { Memory } from '../types.ts'

export interface Winner {
  transport: string
  /** From the start of its probe to its first frame. */
  latencyMs: number
  /** When, in ms since 1970. */
  at: number
}

const MAX_AGE_MS = 24 * 3600 * 1000
const MAX_WAIT_MS = 50

const isWinner = (value: unknown): value is Winner => {
  const { transport, latencyMs, at } = (value ?? {}) as Partial<Record<keyof Winner, unknown>> // as: anything may be stored there; each field is checked
  return typeof transport === 'string' && Number.isFinite(latencyMs) && typeof at === 'number' && at <= now() && at > now() - MAX_AGE_MS
}

/** What was remembered; undefined for nothing, nothing of use, a failure, no answer within 50 ms, or an abort. */
export function recallWinner(memory: Memory, key: string, signal?: AbortSignal): Promise<Winner | undefined> {
  return new Promise((resolve) => {
    // indexedDB.open may never answer (WebKit bug 226547).
    const timer = setTimeout(resolve, MAX_WAIT_MS)
    const settle = (winner?: Winner): void => {
      clearTimeout(timer)
      resolve(winner)
    }
    const release = signal && onAbort(signal, () => settle())
    attempt(() => memory.read(key))
      .then((value) => settle(isWinner(value) ? value : undefined))
      .catch(() => settle())
      .finally(release)
  })
}

export function rememberWinner(memory: Memory, key: string, winner: Winner): void {
  attempt(() => memory.write(key, winner)).catch(() => {}) // a hint not kept is no error
}

/** A throw as a rejection. */
const attempt = async <T>(act: () => Promise<T>): Promise<T> => act()
