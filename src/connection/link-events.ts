/** What a link's events mean to its connection: its proof, its frames, its silence and its end. */

import { macrotask, now } from '../async/clock.ts'
import type { LinkJobs } from '../delivery/link-jobs.ts'
import { TransportError } from '../errors.ts'
import type { LinkEvent } from '../link/link.ts'
import { type Control, type Frame, isControl } from '../protocol/frames.ts'
import { isTerminal } from '../protocol/rules.ts'
import type { Core } from './core.ts'
import type { Endings } from './endings.ts'
import { answersOnce, type JobLink } from './job-link.ts'
import type { LiveLink } from './live-link.ts'
import type { Reads } from './reads.ts'
import { failAll, handleError } from './refusals.ts'

/** Makes the handler of all events of a connection's links. `onMux`: the server has told how many jobs one connection may carry. */
export function createLinkEvents(
  core: Core,
  reads: Reads,
  endings: Endings,
  liveLink: LiveLink,
  onMux: (mux: number) => void
): (jobLink: JobLink, event: LinkEvent) => void {
  const { table, auth } = core

  function onProved(jobLink: JobLink): void {
    // A single read proves too that the server is there.
    core.race = { ...core.race, liveAt: now() }
    if (jobLink.use.kind !== 'probe') return
    core.emit({ type: 'probe-proved', afterMs: now() - jobLink.link.startedAt }, jobLink.transport.name)
    if (!core.live) liveLink.goLive(jobLink)
    core.schedule()
  }

  function onFrames(jobLink: JobLink, frames: readonly Frame[], bytesEach: number | undefined): void {
    const { jobs } = jobLink
    // More frames have come before a full reader has taken anything.
    if (jobs.full.size > 0) pauseFullReaders(jobs)
    for (const frame of frames) {
      if (isControl(frame)) onControl(jobLink, frame)
      else {
        if (isTerminal(frame.type) && table.active(frame.job).length > 0) core.emit({ type: 'ended', job: frame.job, status: frame.type })
        jobs.event(frame, bytesEach)
      }
    }
    // A full reader has one task to take what it holds.
    if (jobs.full.size > 0) void macrotask().then(() => pauseFullReaders(jobs))
    if (liveLink.isWindowHalfUsed(jobLink)) core.schedule()
  }

  /** Pauses the readers that cannot hold more. */
  function pauseFullReaders({ full }: LinkJobs): void {
    for (const reader of full) {
      if (reader.roomBytes() > 0 || reader.mode === 'paused') continue
      reader.setMode('paused')
      core.emit({ type: 'paused' })
      core.schedule()
    }
    full.clear()
  }

  function onControl(jobLink: JobLink, frame: Control): void {
    core.schedule()
    switch (frame.control) {
      case 'hello':
        return onMux(frame.mux ?? 1)
      case 'subscribed':
        auth.accept()
        table.setKnown(frame.job)
        if (!jobLink.jobs.subscribed(frame, jobLink.isFresh, answersOnce(jobLink))) onStaleAnswer(jobLink, frame.job)
        return
      case 'done':
        return jobLink.jobs.done(frame)
      case 'error': {
        const error = handleError(core, jobLink, frame, reads.isVerifying(jobLink))
        if (error) failAll(core, error)
      }
    }
  }

  /**
   * A link's answer began at another cursor than requested. A stream that was opened with a fresh request gets to the cursor in the end; an
   * answer never does.
   */
  function onStaleAnswer(jobLink: JobLink, job: string): void {
    const error = new TransportError('stale', `job ${job}: the answer does not begin at the requested cursor (lost on the way, or a cache answered)`)
    core.isFresh = true
    // A link that can update in place requests the job again by itself.
    if (jobLink.link.update && !jobLink.isFresh) return
    if (jobLink === core.live && !jobLink.isFresh) {
      // The fresh request, sent at once, tells a lost cursor from lost history.
      endings.fail(jobLink, error)
      core.dropRace()
      core.restart(0, jobLink.transport.name)
    } else if (answersOnce(jobLink) || !jobLink.isFresh) jobLink.link.end(error)
  }

  return (jobLink, event) => {
    switch (event.type) {
      case 'proved':
        return onProved(jobLink)
      case 'frames':
        return onFrames(jobLink, event.frames, event.bytesEach)
      case 'suspect':
        return reads.verify(jobLink, event.quietMs)
      case 'ended':
        // A refusal of replaced credentials is no failure.
        return endings.ended(jobLink, event.error?.status === 401 && auth.isSuperseded(jobLink.credentials) ? undefined : event.error)
      default:
        return event satisfies never
    }
  }
}
