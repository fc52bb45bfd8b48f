/** What a connection reports: its state to its readers, what is new in its race as diagnostics. */

import { macrotask, now } from '../async/clock.ts'
import { describeFailures } from '../failures.ts'
import { isOffline } from '../page.ts'
import { prolonged } from '../policy/race.ts'
import type { ConnectionState } from '../types.ts'
import { type Core, linkFor } from './core.ts'

/** Derives the state from links, race and jobs. */
export function stateOf(core: Core): ConnectionState {
  const { race, table, problem, readOnce } = core
  const state = (phase: ConnectionState['phase'], transport?: string, retryAt?: number): ConnectionState => ({
    phase,
    transport,
    attempt: race.failures,
    retryAt,
    problem: phase === 'live' || phase === 'idle' ? undefined : problem
  })
  const carrying = linkFor(core, 'live') ?? linkFor(core, 'draining')
  if (carrying) return state('live', carrying.transport.name)
  const isWanted = table.wanted().length > 0
  const modes = table.all().map(({ mode }) => mode)
  if (!isWanted && !modes.includes('link')) return modes.length > 0 ? state('live', readOnce?.name) : state('idle')
  // Jobs that somebody reads and nobody wants are held.
  const retryAt = isWanted ? (race.phase.kind === 'waiting' ? race.phase.until : Infinity) : table.nextDueAt()
  return retryAt < Infinity ? state(isOffline() ? 'offline' : 'waiting', undefined, retryAt) : state('connecting')
}

/** Reports what is new in the race. Prolongs a pause that begins offline. */
export function reportRace(core: Core): void {
  const { reported, table } = core
  // The pause ends nevertheless: browsers have wrongly reported being offline.
  if (core.race.phase.kind !== reported.phase.kind && isOffline()) core.race = prolonged(core.race, core.retry.maxMs, now())
  core.reported = core.race
  const { phase, failed, records } = core.race
  if (phase !== reported.phase) {
    if (phase.kind === 'waiting') core.emit({ type: 'waiting', ms: phase.ms, reason: phase.reason })
    // A developer should know that the first race delivered nothing; a task later, so that the server's own refusal can come first.
    if (core.races === 1 && (phase.kind === 'waiting' || phase.kind === 'stopped') && failed.length > 0)
      void macrotask().then(() => table.wanted().length > 0 && core.warn(describeFailures(failed, core.request.base)))
  }
  for (const [name, { demotedUntil }] of Object.entries(records))
    if (demotedUntil > now() && demotedUntil !== reported.records[name]?.demotedUntil) core.emit({ type: 'demoted', untilMs: demotedUntil }, name)
}
