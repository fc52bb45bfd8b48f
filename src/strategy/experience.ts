/** What a connection has learnt of its transports: kept per type of network, beyond the page as well. */

import { now } from '../async/clock.ts'
import { orAborted } from '../async/signals.ts'
import { disappoint, emptyHistory, type History, type Outcome, record } from '../policy/next.ts'
import type { DiagnosticDetail } from '../types.ts'

/** What outlasts a page. */
export type Learnt = Pick<History, 'favourite' | 'records'>

export interface ExperienceOptions {
  /** Names, best first. */
  order: readonly string[]
  /** What was learnt here before, on this type of network. */
  recall(network: string | undefined, signal: AbortSignal): Promise<Learnt>
  remember(network: string | undefined, learnt: Learnt & { favourite: string }, latencyMs: number): void
  emit(detail: DiagnosticDetail, transport: string): void
}

export interface Experience {
  readonly history: History
  /** What is known of this type of network, where it isn't the one of before. */
  recall(network: string | undefined, signal: AbortSignal): Promise<void>
  /** How a round went. */
  record(outcome: Outcome): void
  /** It has opened, and brought nothing. */
  disappointed(transport: string): void
  /** It delivers. */
  proved(transport: string, latencyMs: number): void
  /** What was lost within so long was no fault of its transport. */
  forgive(withinMs: number): void
  forget(): void
}

export function createExperience({ order, recall, remember, emit }: ExperienceOptions): Experience {
  let history = emptyHistory(order)
  /** The type of network that it is of; null: nothing has been recalled yet. */
  let network: string | undefined | null = null
  /** Without the last loss, and when that was. */
  let blameless = history
  let lostAt = 0

  function learn(told: History, transport: string): void {
    const untilMs = told.records[transport]?.demotedUntil ?? 0
    const isNews = untilMs > now() && untilMs !== history.records[transport]?.demotedUntil
    history = told
    if (isNews) emit({ type: 'demoted', untilMs }, transport)
  }

  return {
    get history() {
      return history
    },
    async recall(type, signal) {
      if (network === type) return
      history = { ...history, ...(await orAborted(recall(type, signal), signal)) }
      network = type
    },
    record(outcome) {
      if (outcome.kind === 'lost') {
        blameless = history
        lostAt = now()
      }
      learn(record(history, outcome, now()), outcome.transport ?? '')
    },
    disappointed: (transport) => learn(disappoint(history, transport, now()), transport),
    proved: (transport, latencyMs) => remember(network ?? undefined, { favourite: transport, records: history.records }, latencyMs),
    forgive(withinMs) {
      if (now() - lostAt < withinMs) history = blameless
    },
    forget() {
      history = emptyHistory(order)
      network = null
    }
  }
}
