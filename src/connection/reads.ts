/** Single reads, each to the end of what is known now: until a link is live, beside one that is suspect, for held jobs, and for those who are behind. */

import { now } from '../async/clock.ts'
import type { TransportError } from '../errors.ts'
import { isOffline } from '../page.ts'
import type { Transport } from '../types.ts'
import type { Core } from './core.ts'
import type { JobLink, ReadUse } from './job-link.ts'

/** What a read beside a silent link has brought, that one brings within so long, or it is dead. */
const VERIFY_MS = 250
/** Where single reads have failed, links have to do for so long. */
const READ_RETRY_MS = 5000

export interface Reads {
  /** Reads once what is due, and who is behind. */
  readDue(): void
  /** The live link has brought no event for so long: what it may have missed is read beside it. */
  verify(jobLink: JobLink, silentMs: number): void
  /** Runs beside a suspect link: no refusal of it counts. */
  isVerifying(jobLink: JobLink): boolean
  onEnded(jobLink: JobLink, use: ReadUse, error: TransportError | undefined): void
}

/** `transport` reads once; undefined: nothing can, and links have to do. */
export function createReads(core: Core, transport: Transport | undefined): Reads {
  const { table, links } = core
  let verifying: JobLink | undefined
  /** Until then single reads are left alone. */
  let retryAt = 0
  const usable = (): Transport | undefined => (now() < retryAt ? undefined : transport)

  function readPages(): void {
    for (const reader of table.all()) {
      if (reader.mode !== 'paging' || [...links].some(({ use }) => use.kind === 'read' && use.reader === reader)) continue
      const by = usable()
      if (by) core.open(by, { kind: 'read', jobs: [reader.job], reader })
      else reader.setMode('link')
    }
  }

  function read(by: Transport, jobs: readonly string[], verifies?: JobLink): JobLink {
    for (const job of jobs) table.setReading(job, true)
    return core.open(by, { kind: 'read', jobs, verifies })
  }

  return {
    readDue() {
      // A reader that came here while it was behind: credentials are asked for where links are wanted.
      if (!core.auth.latest) for (const reader of table.all()) if (reader.mode === 'paging') reader.setMode('link')
      if (now() < core.readableAt()) return
      readPages()
      const due = table.due(now())
      const wanted = table.wanted()
      for (const job of due) table.setDue(job, Infinity)
      const by = usable()
      if (!by) for (const job of due) table.release(job)
      else {
        // What a live link reads needs no first read.
        const jobs = core.live ? due.filter((job) => !wanted.includes(job)) : due
        if (jobs.length > 0) read(by, jobs)
      }
    },

    verify(jobLink, silentMs) {
      const wanted = table.wanted()
      const by = usable()
      if (jobLink !== core.live || jobLink.transport.traits?.polls === 'short' || !by || verifying || wanted.length === 0) return
      core.emit({ type: 'suspected', silentMs }, jobLink.transport.name)
      verifying = read(by, wanted, jobLink)
    },

    isVerifying: (jobLink) => jobLink === verifying,

    onEnded({ jobs, link }, { jobs: asked, reader, verifies }, error) {
      const hasFailed = error !== undefined && link.provedAt === undefined
      if (hasFailed) retryAt = Math.max(retryAt, now() + Math.max(reader ? READ_RETRY_MS : 0, error.retryAfterMs ?? 0))
      if (reader) {
        // At the end of what was known, or this path has failed: in each case links go on.
        if (reader.mode === 'paging') reader.setMode('link')
        return
      }
      for (const job of asked) {
        table.setReading(job, false)
        // Neither held again nor answered: that path has failed, so the job goes back to links.
        table.release(job)
      }
      if (!verifies) return
      verifying = undefined
      if (!links.has(verifies)) return // it has ended meanwhile
      const isSilent = verifies.link.lastEventAt < link.startedAt
      if (isSilent && (jobs.newEvents > 0 || (link.provedAt === undefined && isOffline()))) verifies.link.requireEventWithin(VERIFY_MS)
    }
  }
}
