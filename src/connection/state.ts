/** The state that a connection reports to its readers. */

import { isOffline } from '../page.ts'
import type { ConnectionState } from '../types.ts'
import type { Core } from './core.ts'

/** Derives the state from links, race and jobs. */
export function stateOf({ race, live, draining, table, problem, options }: Core): ConnectionState {
  const state = (phase: ConnectionState['phase'], transport?: string, retryAt?: number): ConnectionState => ({
    phase,
    transport,
    attempt: race.failures,
    retryAt,
    problem: phase === 'live' || phase === 'idle' ? undefined : problem
  })
  const carrying = live ?? draining
  if (carrying) return state('live', carrying.transport.name)
  if (table.wanted().length === 0) {
    const dueAt = table.nextDueAt()
    if (table.isHeld()) return dueAt < Infinity ? state('waiting', undefined, dueAt) : state('connecting')
    return table.all().some(({ mode }) => mode !== 'link') ? state('live', options.readOnce?.name) : state('idle')
  }
  if (race.phase.kind === 'waiting') return state(isOffline() ? 'offline' : 'waiting', undefined, race.phase.until)
  return state('connecting')
}
