/** Gets what a race needs before it begins: credentials, and hints from the memory. */

import { now } from '../async/clock.ts'
import { delay } from '../async/signals.ts'
import { isJobtailError, isTransportError, TransportError } from '../errors.ts'
import { networkType } from '../page.ts'
import { begin, nobodyDelivered } from '../policy/race.ts'
import { type Core, patience } from './core.ts'
import { failAll } from './refusals.ts'

/** Begins a race once credentials and hints are there. Does nothing while it waits for them already. */
export async function prepare(core: Core): Promise<void> {
  if (core.preparing?.signal.aborted === false) return
  const controller = new AbortController()
  core.preparing = controller
  const { signal } = controller
  const isUpgrade = core.race.phase.kind === 'live'
  if (!isUpgrade) core.races += 1
  function goOn(race: Core['race']): void {
    core.race = race
    controller.abort() // clears the timer
    core.schedule()
  }
  const late = (): never => {
    throw new TransportError('timeout', 'the token or header source gave no answer')
  }
  try {
    core.auth.set(await Promise.race([core.authorize(), delay(patience(core), signal).then(late)]))
    if (!isUpgrade) {
      // Single reads start with the credentials, and do not wait for the hints.
      if (core.firstLook) core.table.setUnknownDue()
      core.schedule()
      await recall(core, signal)
      core.raceAt = now()
    }
  } catch (error) {
    if (signal.aborted) return
    if (isJobtailError(error)) return failAll(core, error)
    // A live link goes on without a new token.
    if (!isUpgrade) return goOn(withoutCredentials(core, error))
  }
  if (signal.aborted) return
  // A job that was just started proves that the URL is right, as a live link does.
  const liveAt = Math.max(core.race.liveAt ?? 0, core.answeredAt()) || undefined
  goOn(begin({ ...core.race, liveAt }, now(), core))
}

async function recall(core: Core, signal: AbortSignal): Promise<void> {
  const type = networkType()
  if (type === core.network) return
  const hint = await core.hints.recall(type, signal)
  if (signal.aborted) return
  core.network = type
  core.latencyMs = hint?.latencyMs
  core.race = { ...core.race, favourite: hint?.transport, records: hint?.records ?? {} }
}

/** The race after the token or header source has failed. */
function withoutCredentials(core: Core, error: unknown): Core['race'] {
  const transport = 'token'
  // The error's text is left out: it may contain a token.
  const { reason, message } = isTransportError(error)
    ? error
    : { reason: 'network' as const, message: `the token or header source threw ${error instanceof Error ? error.name : typeof error}` }
  core.emit({ type: 'probe-failed', afterMs: patience(core), reason }, transport)
  core.problem = { transport, reason, status: undefined, message }
  return nobodyDelivered({ ...core.race, failed: [core.problem] }, now(), core)
}
