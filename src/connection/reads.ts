/** Single reads, each of what the server knows now: before a link is live, beside a suspect link, for held jobs, and for slow readers. */

import { now } from '../async/clock.ts'
import type { TransportError } from '../errors.ts'
import { isOffline } from '../page.ts'
import type { Transport } from '../types.ts'
import type { Core } from './core.ts'
import type { JobLink, ReadUse } from './job-link.ts'

/** A suspect link has this long to bring what a single read has brought; otherwise it is dead. */
const VERIFY_MS = 250
/** After a failed single read slow readers are read for by links for this long. */
const READ_RETRY_MS = 5000

/** Makes single reads. */
export interface Reads {
  /** Starts the single reads that are due, and those for slow readers. */
  readDue(): void
  /** The live link has brought no event for `silentMs`: reads beside it what it may have missed. */
  verify(jobLink: JobLink, silentMs: number): void
  /** Whether this read runs beside a suspect link: then no refusal of it counts. */
  isVerifying(jobLink: JobLink): boolean
  /** A single read has ended; `error` is `undefined` where it did not fail. */
  onEnded(jobLink: JobLink, use: ReadUse, error: TransportError | undefined): void
}

/** `transport` makes the reads. Where it is `undefined` there are none, and links do everything. */
export function createReads(core: Core, transport: Transport | undefined): Reads {
  const { table, links } = core
  let verifying: JobLink | undefined
  /** No single read is made before this time. */
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
      // A slow reader may have come from another connection. Only links ask for credentials, so it is read for by links.
      if (!core.auth.latest) for (const reader of table.all()) if (reader.mode === 'paging') reader.setMode('link')
      if (now() < core.readableAt()) return
      readPages()
      const due = table.due(now())
      const wanted = table.wanted()
      for (const job of due) table.setDue(job, Infinity)
      const by = usable()
      if (!by) for (const job of due) table.release(job)
      else {
        // Jobs that a live link reads need no single read.
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
        // The read got to the end of what the server knows, or failed: links go on in either case.
        if (reader.mode === 'paging') reader.setMode('link')
        return
      }
      for (const job of asked) {
        table.setReading(job, false)
        // A job that is still held was not answered: this path has failed, so links read it again.
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
