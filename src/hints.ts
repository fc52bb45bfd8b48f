/** What a client has learnt about its transports, per type of network, as the memory keeps it. */

import { now } from './async/clock.ts'
import type { Emit } from './diagnostics.ts'
import { recallWinner, rememberWinner, type Winner } from './memory/winner.ts'
import type { Records } from './policy/ranking.ts'
import type { Memory } from './types.ts'

export interface Hints {
  /** What is known about this type of network; `undefined` for nothing. Waits no longer than 50 ms. */
  recall(network: string | undefined, signal: AbortSignal): Promise<Winner | undefined>
  /** Stores the winner. */
  remember(network: string | undefined, transport: string, latencyMs: number, records: Records): void
}

/** Entries are kept per base URL and, where the browser tells it, type of network. */
export function createHints(memory: Memory | false, base: URL, emit: Emit): Hints {
  const keyOf = (network: string | undefined): string => base.href + (network ? ` ${network}` : '')

  return {
    async recall(network, signal) {
      const winner = memory ? await recallWinner(memory, keyOf(network), signal) : undefined
      if (winner) emit({ type: 'recalled', latencyMs: winner.latencyMs }, winner.transport)
      return winner
    },
    remember(network, transport, latencyMs, records) {
      if (!memory) return
      void rememberWinner(memory, keyOf(network), { transport, latencyMs, at: now(), records })
      emit({ type: 'remembered', latencyMs }, transport)
    }
  }
}
