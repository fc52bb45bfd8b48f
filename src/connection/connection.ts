/**
 * Keeps the open links in line with what the readers want. `policy/race.ts` decides when to open, to wait and to give up; the transports
 * know how to read; delivery knows what a frame means to a reader. The connection carries out their decisions. Every change ends in one
 * `reconcile()`.
 */

import { macrotask, now } from '../async/clock.ts'
import { createLongTimer } from '../async/long-timer.ts'
import type { LinkJobs } from '../delivery/link-jobs.ts'
import { JobtailError, TransportError } from '../errors.ts'
import { raceError } from '../failures.ts'
import type { LinkEvent } from '../link/link.ts'
import { isOffline } from '../page.ts'
import { patienceMs } from '../policy/backoff.ts'
import { goneLive, isBetter, opened, plan, restarted, woken } from '../policy/race.ts'
import { type Control, type Frame, isControl } from '../protocol/frames.ts'
import { isTerminal } from '../protocol/rules.ts'
import { IDLE } from '../state.ts'
import type { ConnectionState, Reader, Transport } from '../types.ts'
import { activeReaders, type ConnectionOptions, createCore } from './core.ts'
import { createEndings } from './endings.ts'
import type { JobLink } from './job-link.ts'
import { createOpening } from './opening.ts'
import { createReads } from './reads.ts'
import { failAll, handleError } from './refusals.ts'
import { stateOf } from './state.ts'

export type { ConnectionOptions } from './core.ts'

/** What a connection needs of its pool. */
export interface Capacity extends Pick<ConnectionOptions, 'capacity'> {
  /** The server has told how many jobs one connection may carry. */
  onHello(mux: number): void
  /** Readers whose jobs this connection cannot carry. */
  onSurplus(readers: readonly Reader[]): void
}

/** Reads jobs for its readers, over one live link. */
export interface Connection {
  /** Adds a reader. */
  add(reader: Reader): void
  /** Removes a reader. */
  remove(reader: Reader): void
  /** Has to be called when a reader's mode, or the capacity, has changed. */
  changed(): void
  /** Whether it reads the job. */
  has(job: string): boolean
  /** Whether it can carry one more job. */
  takes(): boolean
}

/** WebKit cuts a page's connections some ms before it fires `pagehide`. */
const PAGEHIDE_LAG_MS = 1000

/** Makes a connection. It is inert until a reader is added. */
export function createConnection(options: ConnectionOptions & Capacity): Connection {
  const { transports, readOnce, page } = options
  const core = createCore(options, reconcile, onLinkEvent)
  const reads = createReads(core, readOnce)
  const opening = createOpening(core)
  const endings = createEndings(core, reads)
  const { table, auth, links, policy } = core
  const timer = createLongTimer(reconcile)
  let state = IDLE
  /** How many links in a row were replaced without having read all that was wanted. */
  let replacements = 0
  /** Removes the listeners on page and transports; set while there are readers. */
  let unlisten: (() => void)[] | undefined

  function reconcile(): void {
    const surplus = table.surplus()
    for (const reader of surplus) table.remove(reader)
    options.onSurplus(surplus)

    for (const { jobs, use, link } of links) {
      jobs.join()
      if (use.kind === 'read' && use.jobs.every((job) => activeReaders(table, use)(job).length === 0)) link.end()
    }
    if (!page.isAway) {
      reads.readDue()
      const wanted = table.wanted()
      if (wanted.length > 0) reconcileLinks(wanted)
      else void macrotask().then(releaseIfIdle)
    }
    announce()
    if (table.size === 0) stopListening()
  }

  /** Brings the links in line with what is wanted, and opens others when it is time. */
  function reconcileLinks(wanted: readonly string[]): void {
    if (transports.length === 0) return failAll(core, new JobtailError('unsupported', 'no transport is supported here'))
    for (const jobLink of [...links]) updateLink(jobLink, wanted)
    for (;;) {
      const step = plan(core.race, now())
      switch (step.do) {
        case 'open':
          core.race = opened(core.race, now(), policy)
          core.emit({ type: 'probe-started' }, step.transport)
          core.open(transportOf(step.transport), { kind: 'probe' })
          continue
        case 'prepare':
          if (!core.preparing) void opening.prepare()
          return setTimer(Infinity)
        case 'wait':
          return setTimer(step.until)
        case 'stop':
          return failAll(core, raceError(step, options.request.base, patienceMs(core.race.failures - 1, options.probeTimeoutMs, core.latencyMs)))
        default:
          return step satisfies never
      }
    }
  }

  const setTimer = (at: number): void => timer.set(Math.min(at, Math.max(table.nextDueAt(), core.readableAt())))

  // as: a race has the names of these transports only
  const transportOf = (name: string): Transport => transports.find((each) => each.name === name) as Transport

  /** Releases everything once no job has been wanted for one task. */
  function releaseIfIdle(): void {
    if (table.wanted().length > 0) return
    core.dropLinks()
    if (core.race.phase.kind !== 'waiting' || !core.race.phase.byServer) core.race = restarted(core.race)
    setTimer(Infinity)
    announce()
  }

  /** Makes a link read what is wanted, in place where its transport can. A link that reads it all and ranks above the live one takes over. */
  function updateLink(jobLink: JobLink, wanted: readonly string[]): void {
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
    if (link.update) link.update(jobs.request(wanted))
    else if (isProved) replace(jobLink, wanted)
  }

  /**
   * Whether half of the live stream's window is used. The window of a stream cannot be extended: the next stream is opened before this
   * one's is used up.
   */
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

  function onLinkEvent(jobLink: JobLink, event: LinkEvent): void {
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

  function onProved(jobLink: JobLink): void {
    // A single read proves too that the server is there.
    core.race = { ...core.race, liveAt: now() }
    if (jobLink.use.kind !== 'probe') return
    core.emit({ type: 'probe-proved', afterMs: now() - jobLink.link.startedAt }, jobLink.transport.name)
    if (!core.live) goLive(jobLink)
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
    if (isWindowHalfUsed(jobLink)) core.schedule()
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
        return options.onHello(frame.mux ?? 1)
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

  /** Whether each of the link's answers is to a request of its own. */
  const answersOnce = ({ use, transport }: JobLink): boolean => use.kind === 'read' || transport.traits?.polls !== undefined

  /**
   * A link's answer began at another cursor than requested. A stream that was opened with a fresh request gets to the cursor in the end; an
   * answer never does.
   */
  function onStaleAnswer(jobLink: JobLink, job: string): void {
    const error = new TransportError('stale', `job ${job}: the answer begins at another cursor than requested: that was lost on the way, or a cache answered`)
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

  /** The page is put away: everything is closed, and nothing is opened until it is back. */
  function onLeave(): void {
    if (now() - endings.lostAt < PAGEHIDE_LAG_MS) core.race = restarted(endings.beforeLoss)
    else if (core.race.phase.kind !== 'waiting') core.race = restarted(core.race)
    core.dropLinks()
    core.endReads()
    timer.set(Infinity)
    announce()
  }

  /** The network or the page's visibility has changed: a pause may end, the live link may have died, and the state may be out of date. */
  function onChange(): void {
    if (!isOffline()) core.race = woken(core.race, now())
    core.live?.link.check()
    announce()
    core.schedule()
  }

  function onAvailability(): void {
    const { race } = core
    const order = core.order()
    const next = { ...race, order, queue: race.queue.filter((name) => order.includes(name)) }
    const isStuck = race.phase.kind === 'racing' && next.queue.length + race.probing.length === 0
    core.race = isStuck ? restarted(next) : next.order.some((name) => !race.order.includes(name)) ? woken(next, now()) : next
    core.schedule()
  }

  function announce(): void {
    const next = stateOf(core)
    if ((Object.keys(next) as (keyof ConnectionState)[]).every((key) => next[key] === state[key])) return // as: the keys of ConnectionState
    state = Object.freeze(next)
    for (const reader of table.all()) reader.connection(state)
  }

  function stopListening(): void {
    for (const stop of unlisten ?? []) stop()
    unlisten = undefined
  }

  return {
    add(reader) {
      // Before a race the job is made due by the race itself.
      table.add(reader, options.firstLook && core.race.phase.kind === 'racing' ? 0 : Infinity)
      unlisten ??= [page.follow({ onLeave, onChange }), ...transports.map(({ availability }) => availability?.onChange(onAvailability) ?? (() => {}))]
      reader.connection(state)
      core.schedule()
    },
    remove(reader) {
      table.remove(reader)
      core.schedule()
    },
    changed() {
      table.modesChanged()
      core.schedule()
    },
    has: table.has,
    // Until the first `hello` every job waits on this connection.
    takes: () => table.size < (options.capacity() ?? Infinity)
  }
}
