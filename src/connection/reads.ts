/** Single reads, each of what the server knows now: before a link is live, beside a suspect link, for held jobs, and for slow readers. */

import { now } from '../async/clock.ts'
import type { TransportError } from '../errors.ts'
import { isOffline } from '../page.ts'
import { type Core, type JobLink, linkFor, open } from './core.ts'

/** A suspect link has this long to bring what a single read has brought; otherwise it is dead. */
const VERIFY_MS = 250
/** After a failed single read slow readers are read for by links for this long. */
const READ_RETRY_MS = 5000

/** From when on something may be read; `Infinity` without credentials. While the server has asked for a pause, the end of the pause. */
export function readableAt({ auth, race: { phase } }: Core): number {
  if (!auth.latest) return Infinity
  return phase.kind === 'waiting' && phase.byServer ? phase.until : 0
}

/** What makes single reads now; `undefined`: nothing does. */
const readOnceOf = ({ readRetryAt, readOnce }: Core): Core['readOnce'] => (now() < readRetryAt ? undefined : readOnce)

/** Makes a first read due of each job whose position the server has not told. */
export function lookFirst({ firstLook, table, schedule }: Core): void {
  if (firstLook) table.setUnknownDue()
  schedule()
}

/** Ends the single reads that are not needed any more. Starts those that are due, and those for slow readers. */
export function readDue(core: Core): void {
  const { table, auth } = core
  const reads = [...core.links].filter(({ use }) => use === 'read')
  for (const { asked, active, link } of reads) if (asked?.every((job) => active(job).length === 0)) link.end()
  const readOnce = readOnceOf(core)
  const isReadable = now() >= readableAt(core)
  for (const reader of table.all()) {
    if (reader.mode !== 'paging' || reads.some((read) => read.reader === reader)) continue
    // Only links ask for credentials.
    if (!readOnce || !auth.latest) reader.setMode('link')
    else if (isReadable) open(core, readOnce, 'read', { asked: [reader.job], reader })
  }
  if (!isReadable) return
  // Jobs that a live link reads need no single read.
  const wanted = linkFor(core, 'live') ? table.wanted() : []
  const asked: string[] = []
  for (const job of table.due(now())) {
    table.setDue(job, Infinity)
    if (!readOnce) table.release(job)
    else if (!wanted.includes(job) && !reads.some((read) => !read.reader && read.asked?.includes(job))) asked.push(job)
  }
  if (readOnce && asked.length > 0) open(core, readOnce, 'read', { asked })
}

/** The live link has brought no event for `silentMs`: reads beside it what it may have missed. */
export function verify(core: Core, jobLink: JobLink, silentMs: number): void {
  const { use, transport } = jobLink
  const asked = core.table.wanted()
  const readOnce = readOnceOf(core)
  if (use !== 'live' || transport.traits?.polls === 'short' || !readOnce || asked.length === 0 || [...core.links].some(({ verifies }) => verifies)) return
  core.emit({ type: 'suspected', silentMs }, transport.name)
  open(core, readOnce, 'read', { asked, verifies: jobLink })
}

/**
 * The link has brought nothing new. Where a single read of its jobs is ahead of it, whatever it brings is sent and parsed for nothing: it rests while the read
 * delivers, so that a socket's window stays small meanwhile.
 */
export function restBehindRead({ links }: Core, { jobs, use, link }: JobLink): void {
  const isAhead = ({ use, asked = [], reader, verifies }: JobLink): boolean =>
    use === 'read' && !reader && !verifies && jobs.jobs().every((job) => asked.includes(job))
  const read = [...links].find(isAhead)
  if (read && use !== 'read') link.restBeside(read.link)
}

/** A single read has ended; `error` is `undefined` where it did not fail. */
export function readEnded(core: Core, { jobs, link, asked = [], reader, verifies }: JobLink, error: TransportError | undefined): void {
  const { table, links } = core
  const hasFailed = error && link.provedAt === undefined
  if (hasFailed) core.readRetryAt = Math.max(core.readRetryAt, now() + Math.max(reader ? READ_RETRY_MS : 0, error.retryAfterMs ?? 0))
  if (reader) {
    // The read got to the end of what the server knows, or failed: links go on in either case.
    if (reader.mode === 'paging') reader.setMode('link')
    return
  }
  // A job that is still held was not answered: this path has failed, so links read it again.
  for (const job of asked) table.release(job)
  if (!verifies || !links.has(verifies)) return // it has ended meanwhile
  const isSilent = verifies.link.lastEventAt < link.startedAt
  if (isSilent && (jobs.brought.events > 0 || (link.provedAt === undefined && isOffline()))) verifies.link.requireEventWithin(VERIFY_MS)
}
