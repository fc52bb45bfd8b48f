/** Gets what a race needs before it begins: credentials, and hints from the memory. */

import { now } from '../async/clock.ts'
import { withTimeout } from '../async/signals.ts'
import { isJobtailError, TransportError } from '../errors.ts'
import { networkType } from '../page.ts'
import { begin, nobodyDelivered } from '../policy/race.ts'
import { type Core, patience } from './core.ts'
import { lookFirst } from './reads.ts'
import { failAll } from './refusals.ts'

/** Begins a race once credentials and hints are there. Does nothing while it waits for them already. */
export async function prepare(core: Core): Promise<void> {
  if (core.preparing?.signal.aborted === false) return
  const controller = new AbortController()
  core.preparing = controller
  const { signal } = controller
  const isUpgrade = core.race.phase.kind === 'live'
  if (!isUpgrade) core.races += 1
  let step = begun
  try {
    core.auth.set(await withTimeout(core.authorize, patience(core), signal, () => new TransportError('timeout', 'the token or header source gave no answer')))
    if (!isUpgrade) {
      // Single reads start with the credentials, and do not wait for the hints.
      lookFirst(core)
      await recall(core, signal)
      core.raceAt = now()
    }
  } catch (error) {
    if (signal.aborted) return
    if (isJobtailError(error)) return failAll(core, error)
    // A live link goes on without a new token.
    if (!isUpgrade) step = () => withoutCredentials(core, error as TransportError) // as: authorize throws no other
  }
  // What was awaited may have come in the task in which it was no longer needed.
  if (signal.aborted) return
  controller.abort() // it waits no more
  core.race = step(core)
  core.schedule()
}

/** The race after credentials have come. A job that was just started proves that the URL is right, as a live link does. */
const begun = (core: Core): Core['race'] => begin({ ...core.race, liveAt: Math.max(core.race.liveAt ?? 0, core.answeredAt()) || undefined }, now(), core)

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
function withoutCredentials(core: Core, { reason, message }: TransportError): Core['race'] {
  const transport = 'token'
  core.emit({ type: 'probe-failed', afterMs: patience(core), reason }, transport)
  core.problem = { transport, reason, status: undefined, message }
  return nobodyDelivered({ ...core.race, failed: [core.problem] }, now(), core)
}
