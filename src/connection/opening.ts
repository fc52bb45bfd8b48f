/** Gets what a race needs before it begins: credentials, and hints from the memory. */

import { now } from '../async/clock.ts'
import { orAborted, withTimeout } from '../async/signals.ts'
import { isJobtailError, isTransportError, TransportError } from '../errors.ts'
import { networkType } from '../page.ts'
import { begin, nobodyDelivered } from '../policy/race.ts'
import type { Core } from './core.ts'
import { failAll } from './refusals.ts'

/** Prepares races. */
export interface Opening {
  /** When the race began. A race beside a live link keeps the time of the one before. */
  readonly raceAt: number
  /** Gets credentials and hints, then begins the race. */
  prepare(): Promise<void>
  /** Remembers the winner, and how long it needed for its first frame. */
  remember(transport: string, latencyMs: number): void
}

/** Makes what prepares a connection's races. */
export function createOpening(core: Core): Opening {
  const { options, policy, auth, table } = core
  let raceAt = 0

  /** Credentials come first: single reads start with them and do not wait for the hints. */
  async function prepare(): Promise<void> {
    const controller = new AbortController()
    core.preparing = controller
    const { signal } = controller
    const isUpgrade = core.race.phase.kind === 'live'
    if (!isUpgrade) core.races += 1
    try {
      auth.set(
        await withTimeout(options.authorize(), core.patience(), signal, () => new TransportError('timeout', 'the token or header source gave no answer'))
      )
      if (!isUpgrade) {
        if (options.firstLook) table.setUnknownDue()
        core.schedule()
        await recall(signal)
        raceAt = now()
      }
    } catch (error) {
      if (signal.aborted) return
      if (isJobtailError(error)) return failAll(core, error)
      // A live link goes on without a new token.
      if (!isUpgrade) return onNoCredentials(error)
    } finally {
      if (core.preparing === controller) core.preparing = undefined
    }
    // A job that was just started proves that the URL is right, as a live link does.
    const liveAt = Math.max(core.race.liveAt ?? 0, options.answeredAt()) || undefined
    core.turn(begin({ ...core.race, liveAt }, now(), policy))
  }

  async function recall(signal: AbortSignal): Promise<void> {
    const type = networkType()
    if (type === core.network) return
    const hint = await orAborted(options.hints.recall(type, signal), signal)
    core.network = type
    core.latencyMs = hint?.latencyMs
    core.race = { ...core.race, favourite: hint?.transport, records: hint?.records ?? {} }
  }

  function onNoCredentials(error: unknown): void {
    // The error's text is left out: it may contain a token.
    const { reason, message } = isTransportError(error)
      ? error
      : { reason: 'network' as const, message: `the token or header source threw ${error instanceof Error ? error.name : typeof error}` }
    core.emit({ type: 'probe-failed', afterMs: core.patience(), reason }, 'token')
    core.problem = { transport: 'token', reason, status: undefined, message }
    core.turn(nobodyDelivered({ ...core.race, failed: [core.problem] }, now(), policy))
  }

  return {
    get raceAt() {
      return raceAt
    },
    prepare,
    remember: (transport, latencyMs) => options.hints.remember(core.network ?? undefined, transport, latencyMs, core.race.records)
  }
}
