/** Which link is live: one takes over where it is better, and is replaced where it cannot read what is wanted now. */

import { now } from '../async/clock.ts'
import { goneLive, isBetter } from '../policy/race.ts'
import type { Core } from './core.ts'
import { answersOnce, type JobLink } from './job-link.ts'
import type { Opening } from './opening.ts'

/** Decides which of a connection's links is live. */
export interface LiveLink {
  /** Makes a link read what is wanted, in place where its transport can. A link that reads it all and ranks above the live one takes over. */
  update(jobLink: JobLink, wanted: readonly string[]): void
  /** Makes a link the live one, and closes the one before. */
  goLive(jobLink: JobLink): void
  /**
   * Whether half of the live stream's window is used. The window of a stream cannot be extended: the next stream is opened before this
   * one's is used up.
   */
  isWindowHalfUsed(jobLink: JobLink): boolean
}

/** Makes what keeps a connection's live link. */
export function createLiveLink(core: Core, opening: Opening): LiveLink {
  const { table, links, policy } = core
  /** How many links in a row were replaced without having read all that was wanted. */
  let replacements = 0

  function update(jobLink: JobLink, wanted: readonly string[]): void {
    const { link, jobs, transport, use } = jobLink
    if (use.kind !== 'probe' && use.kind !== 'live') return
    const isProved = link.provedAt !== undefined
    // Single reads may have brought events before this link.
    if (link.update) jobs.skipReceived()
    if (isProved && jobs.coversAll(wanted)) {
      if (jobLink !== core.live && isBetter(core.race, transport.name, now())) goLive(jobLink)
      if (jobLink === core.live) {
        replacements = 0
        if (core.draining) core.drop(core.draining)
        core.draining = undefined
      }
    }
    if (!isWindowHalfUsed(jobLink) && !jobs.needsUpdate(wanted)) return
    if (link.update) link.update(jobs.requestJobs(wanted))
    else if (isProved) replace(jobLink, wanted)
  }

  const isWindowHalfUsed = (jobLink: JobLink): boolean =>
    jobLink === core.live && !jobLink.link.update && !answersOnce(jobLink) && jobLink.jobs.newBytes > core.windowBytes / 2

  /** Opens another link for what is wanted now. The live one is read on meanwhile, unless it brings events that a reader has no room for. */
  function replace({ jobs, transport }: JobLink, wanted: readonly string[]): void {
    const floods = jobs.jobs().some((job) => !wanted.includes(job) && table.readers(job).some(({ mode }) => mode !== 'link'))
    const next = core.live ?? core.draining
    if (core.draining && core.draining !== next) core.drop(core.draining)
    if (next && floods) core.drop(next)
    else if (next) next.use = { kind: 'draining' }
    core.draining = floods ? undefined : next
    core.dropRace()
    replacements += 1
    core.restart(replacements, transport.name)
  }

  function goLive(jobLink: JobLink): void {
    const { transport, link } = jobLink
    const replaced = core.live
    if (replaced) core.drop(replaced)
    // It delivered events, so it counts as if it had been lost after them.
    if (replaced && replaced.jobs.newEvents > 0) core.race = { ...core.race, failures: 0 }
    core.live = jobLink
    jobLink.use = { kind: 'live' }
    core.problem = undefined
    core.turn(goneLive(core.race, transport.name, now(), policy))
    if (!replaced) core.emit({ type: 'live', afterMs: now() - opening.raceAt }, transport.name)
    else if (replaced.transport !== transport) core.emit({ type: 'switched', from: replaced.transport.name }, transport.name)
    core.latencyMs = (link.provedAt ?? 0) - link.startedAt
    opening.remember(transport.name, core.latencyMs)
    for (const each of links) if (each.use.kind === 'probe' && !isBetter(core.race, each.transport.name, now())) core.drop(each)
  }

  return { update, goLive, isWindowHalfUsed }
}
