/** The steps of a schedule: faults, and what readers do meanwhile. */

import type { ByeReason } from '../../src/protocol/frames.ts'

export type Kind = 'websocket' | 'sse' | 'long-poll' | 'json'
export type Target = Kind | 'streams' | 'http' | 'all'

/** Faults of the path, for a while. */
export type PathFault =
  | 'refused'
  | 'unanswered'
  | 'killed'
  | 'mute'
  | 'buffered'
  | 'cut'
  | 'gateway-timeout'
  | 'portal'
  | 'stalled'
  | 'slow-path'
  | 'repeated-answer'
  /** Answers of an intermediary that knows nothing of jobs: a router during a deploy, a login, a rate limit, a redirect, a cache that ignores the cursor. */
  | 'not-found'
  | 'login'
  | 'too-many'
  | 'no-content'
  | 'redirected'
  | 'ignorant-cache'
  /** An intermediary passes the cursor on in only one of its two places, header and query. */
  | 'stripped'

export type Step = { afterMs: number } & (
  | { do: 'pass' }
  | { do: PathFault; target: Target; forMs: number; amount: number }
  /** Faults of the open connections. */
  | { do: 'reset' | 'dead'; target: Target }
  /** Faults of the server. */
  | { do: 'busy'; forMs: number }
  | { do: 'job-busy'; job: string; retryMs: number }
  | { do: 'new-token' | 'revoked' }
  | { do: 'restart'; keeps: 'log' | 'part' | 'nothing'; downMs: number }
  | { do: 'trimmed'; job: string; keep: number }
  | { do: 'replaced'; job: string; keep: number }
  | { do: 'said-again' | 'sent-again'; job: string; by: number }
  | { do: 'bye'; reason: ByeReason; target: Target; retryMs: number }
  | { do: 'mux'; mux: number }
  | { do: 'forbidden' | 'expired'; job: string }
  /** Faults of the page. `effect`: what happens to its connections. */
  | { do: 'offline'; forMs: number; effect: 'none' | 'dead' | 'reset' }
  | { do: 'page-cache' | 'frozen'; forMs: number }
  | { do: 'sleep'; forMs: number; effect: 'none' | 'dead' | 'reset' }
  | { do: 'hidden' | 'long-hidden'; forMs: number }
  | { do: 'network-change'; type: 'wifi' | 'cellular' }
  /** Changes of the jobs. */
  | { do: 'append'; job: string; count: number }
  | { do: 'end'; job: string; type: 'succeeded' | 'failed' | 'cancelled' }
  /** Actions of the readers. */
  | { do: 'read'; job: string; client: number; from: 'start' | 'tail' | 'cursor' | 'first-cursor'; pace: 'fast' | 'slow' | 'stuck'; throwsGaps: boolean }
  | { do: 'follow'; job: string; client: number; by: 'onChange' | 'result' }
  | { do: 'leave'; which: number; how: 'close' | 'abort' | 'break' }
  | { do: 'hurry'; which: number }
)

export type Fault = Exclude<Step['do'], 'pass' | 'append' | 'end' | 'read' | 'follow' | 'hurry'> | 'slow-reader' | 'delivered-twice' | 'overtaken' | 'window'

const covers: Record<Target, readonly Kind[]> = {
  websocket: ['websocket'],
  sse: ['sse'],
  'long-poll': ['long-poll'],
  json: ['json'],
  streams: ['websocket', 'sse'],
  http: ['sse', 'long-poll', 'json'],
  all: ['websocket', 'sse', 'long-poll', 'json']
}

export const isHit = (target: Target, kind: Kind): boolean => covers[target].includes(kind)

/** Describes one step. */
export function describeStep({ afterMs, do: what, ...rest }: Step): string {
  const details = Object.entries(rest).map(([name, value]) => (name.endsWith('Ms') ? `${name.slice(0, -2)} ${value} ms` : `${name} ${value}`))
  return `+${afterMs} ms: ${what}${details.length > 0 ? ` (${details.join(', ')})` : ''}`
}
