/** What a link's events mean to its connection: its proof, its frames (refusals among them: PROTOCOL.md §7), its silence. */

import { macrotask, now } from '../async/clock.ts'
import { saidBy, TransportError } from '../errors.ts'
import type { LinkEvent } from '../link/link.ts'
import { decide } from '../policy/decide.ts'
import { isTransient } from '../policy/race.ts'
import { type Control, type ErrorControl, type Frame, isControl } from '../protocol/frames.ts'
import { isTerminal, TAIL } from '../protocol/rules.ts'
import { answersOnce, type Core, type JobLink, linkFor } from './core.ts'
import { linkEnded } from './endings.ts'
import { goLive, isWindowHalfUsed } from './live-link.ts'
import { restBehindRead, verify } from './reads.ts'

/**
 * For so long after a stale answer requests are fresh ones, which cost a preflight each across origins. Not just until an answer is right: a
 * path that loses cursors would have every second request in vain, each with a log from its start.
 */
const FRESH_MS = 600_000

/** Handles what a link reports. */
export function handleLinkEvent(core: Core, jobLink: JobLink, event: LinkEvent): void {
  switch (event.type) {
    case 'frames':
      if (event.proves) onProved(core, jobLink)
      return onFrames(core, jobLink, event.frames, event.bytesEach)
    case 'suspect':
      return verify(core, jobLink, event.quietMs)
    case 'ended':
      return linkEnded(core, jobLink, event.error)
    default:
      return event satisfies never
  }
}

function onProved(core: Core, jobLink: JobLink): void {
  // A single read proves too that the server is there.
  core.race = { ...core.race, liveAt: now() }
  if (jobLink.use !== 'probe') return
  core.emit({ type: 'probe-proved', afterMs: now() - jobLink.link.startedAt }, jobLink.transport.name)
  if (!linkFor(core, 'live')) goLive(core, jobLink)
  core.schedule()
}

function onFrames(core: Core, jobLink: JobLink, frames: readonly Frame[], bytesEach: number | undefined): void {
  const { jobs } = jobLink
  const before = jobs.brought.events
  // More frames have come before a full reader has taken anything.
  if (jobs.brought.fills) pauseFullReaders(core, jobLink)
  for (const frame of frames) {
    if (isControl(frame)) onControl(core, jobLink, frame)
    else {
      const { job, type } = frame
      if (isTerminal(type) && core.table.active(job).length > 0) core.emit({ type: 'ended', job, status: type })
      jobs.event(frame, bytesEach)
    }
  }
  // The poll goes on from an answer that was right.
  if (jobLink.transport.traits?.polls && now() >= core.freshUntil) jobLink.isFresh = false
  // A full reader has one task to take what it holds.
  if (jobs.brought.fills) void macrotask().then(() => pauseFullReaders(core, jobLink))
  if (isWindowHalfUsed(core, jobLink)) core.schedule()
  if (jobs.brought.events === before) restBehindRead(core, jobLink)
}

/** Pauses the readers that cannot hold more. */
function pauseFullReaders(core: Core, { jobs }: JobLink): void {
  jobs.brought.fills = false
  for (const reader of core.table.all()) {
    if (reader.roomBytes() > 0 || reader.mode === 'paused') continue
    reader.setMode('paused')
    core.emit({ type: 'paused' })
  }
}

function onControl(core: Core, jobLink: JobLink, frame: Control): void {
  core.schedule()
  switch (frame.control) {
    case 'hello':
      return core.onMux(frame.mux ?? 1)
    case 'subscribed':
      core.auth.accept()
      core.table.setKnown(frame.job)
      if (!jobLink.jobs.subscribed(frame, jobLink.isFresh, answersOnce(jobLink))) onStaleAnswer(core, jobLink, frame.job)
      return
    case 'done':
      return jobLink.jobs.done(frame)
    case 'error':
      handleError(core, jobLink, frame)
  }
}

/**
 * A link's answer began at another cursor than requested. A link that can update in place requests the job again, by a request that is
 * fresh. A stream that was opened with a fresh request gets to the cursor in the end; an answer never does.
 */
function onStaleAnswer(core: Core, jobLink: JobLink, job: string): void {
  core.freshUntil = now() + FRESH_MS
  if (jobLink.isFresh ? answersOnce(jobLink) : !jobLink.link.update)
    linkEnded(
      core,
      jobLink,
      new TransportError('stale', `job ${job}: the answer does not begin at the requested cursor (lost on the way, or a cache answered)`)
    )
}

/**
 * Handles an `error` frame about one job, or about all. A refused token, and a server that is busy with all jobs, end the link as the
 * status of a response does.
 */
function handleError(core: Core, jobLink: JobLink, error: ErrorControl): void {
  const { table, unknownJobGraceMs } = core
  const { jobs, verifies } = jobLink
  const { job, status, message, retryAfterMs = 0 } = error
  if (status === 401 || (!job && isTransient(status)))
    return linkEnded(core, jobLink, new TransportError('status', message, { status, retryAfterMs, cause: saidBy(job ? `job ${job}` : 'all jobs', error) }))
  for (const each of job ? [job] : jobs.jobs()) {
    const cursor = jobs.remove(each)?.cursor
    // It came beside a link that works.
    if (verifies) continue
    const readers = table.readers(each)
    const decision = decide(status, !!cursor && cursor !== TAIL)
    if (decision === 'wait') table.hold(each, retryAfterMs, Infinity)
    // Another path reads the job already, so this server of several was not up to date.
    else if (decision !== 'unknown-job' || !(readers.some(({ position }) => position.epoch) || table.hold(each, 0, unknownJobGraceMs)))
      for (const reader of readers) reader.fail(saidBy(`job ${each}`, error, decision))
  }
}
