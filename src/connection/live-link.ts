/** Which link is live: one takes over where it is better, and is replaced where it cannot read what is wanted now. */

import { now } from '../async/clock.ts'
import { goneLive, isBetter } from '../policy/race.ts'
import { answersOnce, type Core, drop, dropLink, type JobLink, linkFor, restart } from './core.ts'

/** Makes a link read what is wanted, in place where its transport can. A link that reads it all and ranks above the live one takes over. */
export function update(core: Core, jobLink: JobLink, wanted: readonly string[]): void {
  const { link, jobs, transport } = jobLink
  const isProved = link.provedAt !== undefined
  // Single reads may have brought events before this link.
  if (link.update) jobs.skipReceived()
  if (isProved && jobs.coversAll(wanted)) {
    if (jobLink.use === 'probe' && isBetter(core.race, transport.name, now())) goLive(core, jobLink)
    if (jobLink.use === 'live') {
      core.replacements = 0
      drop(core, 'draining')
    }
  }
  if (!isWindowHalfUsed(core, jobLink) && !jobs.needsUpdate(wanted)) return
  if (link.update) link.update(jobs.requestJobs(wanted))
  else if (isProved) replace(core, jobLink, wanted)
}

/**
 * Whether half of the live stream's window is used. The window of a stream cannot be extended: the next stream is opened before this one's
 * is used up.
 */
export const isWindowHalfUsed = (core: Core, jobLink: JobLink): boolean =>
  jobLink.use === 'live' && !jobLink.link.update && !answersOnce(jobLink) && jobLink.jobs.brought.bytes > core.windowBytes / 2

/** Opens another link for what is wanted now. The live one is read on meanwhile, unless it brings events that a reader has no room for. */
function replace(core: Core, { jobs }: JobLink, wanted: readonly string[]): void {
  const live = linkFor(core, 'live')
  if (live) {
    drop(core, 'draining')
    live.use = 'draining'
    core.race = { ...core.race, liveAt: now() }
  }
  // One that brings events which a reader has no room for is not read on.
  if (jobs.jobs().some((job) => !wanted.includes(job) && core.table.readers(job).some(({ mode }) => mode !== 'link'))) drop(core, 'draining')
  core.replacements += 1
  restart(core, core.replacements)
}

/** Makes a link the live one, and closes the one before. */
export function goLive(core: Core, jobLink: JobLink): void {
  const { transport, link } = jobLink
  const { name } = transport
  const replaced = linkFor(core, 'live')
  if (replaced) dropLink(core, replaced)
  // It delivered events, so it counts as if it had been lost after them.
  if (replaced && replaced.jobs.brought.events > 0) core.race = { ...core.race, failures: 0 }
  jobLink.use = 'live'
  core.problem = undefined
  core.race = goneLive(core.race, name, now(), core)
  if (!replaced) core.emit({ type: 'live', afterMs: now() - core.raceAt }, name)
  else if (replaced.transport !== transport) core.emit({ type: 'switched', from: replaced.transport.name }, name)
  core.latencyMs = (link.provedAt ?? 0) - link.startedAt
  core.hints.remember(core.network ?? undefined, name, core.latencyMs, core.race.records)
  for (const each of core.links) if (each.use === 'probe' && !isBetter(core.race, each.transport.name, now())) dropLink(core, each)
}
