/** What a client has learnt about its transports, per type of network: in this page, and from the memory. */

import { now } from './async/clock.ts'
import type { Emit } from './diagnostics.ts'
import { recallWinner, rememberWinner, type Winner } from './memory/winner.ts'
import type { Records } from './policy/ranking.ts'
import type { Memory } from './types.ts'

export interface Hints {
  /** What is known about this type of network; `undefined` for nothing. Waits no longer than 50 ms. */
  recall(network: string | undefined, signal: AbortSignal): Promise<Winner | undefined>
  /** Records the winner here and in the memory. */
  remember(network: string | undefined, transport: string, latencyMs: number, records: Records): void
}

/** Entries are kept per base URL and, where the browser tells it, type of network. */
export function createHints(memory: Memory | false, base: URL, emit: Emit): Hints {
  const known = new Map<string, Winner>()
  const keyOf = (network: string | undefined): string => base.href + (network ? ` ${network}` : '')

  return {
    async recall(network, signal) {
      const key = keyOf(network)
      if (memory && !known.has(key)) {
        const winner = await recallWinner(memory, key, signal)
        if (winner) {
          known.set(key, winner)
          emit({ type: 'recalled', latencyMs: winner.latencyMs }, winner.transport)
        }
      }
      return known.get(key)
    },
    remember(network, transport, latencyMs, records) {
      const winner = { transport, latencyMs, at: now(), records }
      known.set(keyOf(network), winner)
      if (!memory) return
      void rememberWinner(memory, keyOf(network), winner)
      emit({ type: 'remembered', latencyMs }, transport)
    }
  }
}
