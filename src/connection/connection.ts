/**
 * Keeps what is open in line with what the readers want. When to open, wait and give up is policy's (`policy/race.ts`), how is the transports', what a
 * frame means to a reader is delivery's; here their answers are carried out. Everything that happens ends in one `reconcile()`.
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
  onHello(mux: number): void
  /** Readers of jobs that this connection can't carry. */
  onSurplus(readers: readonly Reader[]): void
}

export interface Connection {
  add(reader: Reader): void
  remove(reader: Reader): void
  /** A reader's mode, or the capacity, has changed. */
  changed(): void
  has(job: string): boolean
  /** Whether it could carry one more. */
  takes(): boolean
}

/** WebKit cuts what a page reads some ms before it tells that the page is put away. */
const PAGEHIDE_LAG_MS = 1000

export function createConnection(options: ConnectionOptions & Capacity): Connection {
  const { transports, readOnce, page } = options
  const core = createCore(options, reconcile, onLinkEvent)
  const reads = createReads(core, readOnce)
  const opening = createOpening(core)
  const endings = createEndings(core, reads)
  const { table, auth, links, policy } = core
  const timer = createLongTimer(reconcile)
  let state = IDLE
  /** Links in a row that could not read all that was wanted. */
  let replacements = 0
  /** While there are readers. */
  let unlisten: (() => void)[] | undefined

  // ---- one way in: everything that changes comes here

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

  /** The links read what is wanted, and others are opened when it is time. */
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

  const transportOf = (name: string): Transport => transports.find((each) => each.name === name) as Transport // as: a race knows no others

  /** Lets go of everything once nothing has been wanted for one task. */
  function releaseIfIdle(): void {
    if (table.wanted().length > 0) return
    core.dropLinks()
    if (core.race.phase.kind !== 'waiting' || !core.race.phase.byServer) core.race = restarted(core.race)
    setTimer(Infinity)
    announce()
  }

  // ---- links

  /** Has a link read what is wanted, in place where its transport can; it takes over where it does and is better. */
  function updateLink(jobLink: JobLink, wanted: readonly string[]): void {
    const { link, jobs, transport, use } = jobLink
    if (use.kind !== 'probe' && use.kind !== 'live') return
    const isProved = link.provedAt !== undefined
    // Where single reads have been faster.
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

  /** Half of its window is used. A stream's can't be opened further: the next one is asked for before it is used up. */
  const isWindowHalfUsed = (jobLink: JobLink): boolean =>
    jobLink === core.live && !jobLink.link.update && !answersOnce(jobLink) && jobLink.jobs.newBytes > core.windowBytes / 2

  /** Another link has to be opened for what is wanted now; the live one is read on meanwhile, unless it brings what a reader has no room for. */
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
    // What it has delivered counts as if it had been lost.
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

  // ---- what links tell

  function onLinkEvent(jobLink: JobLink, event: LinkEvent): void {
    switch (event.type) {
      case 'proved':
        return onProved(jobLink)
      case 'frames':
        return onFrames(jobLink, event.frames, event.bytesEach)
      case 'suspect':
        return reads.verify(jobLink, event.quietMs)
      case 'ended':
        // What was opened with an old token says nothing.
        return endings.ended(jobLink, event.error?.status === 401 && auth.isSuperseded(jobLink.credentials) ? undefined : event.error)
      default:
        return event satisfies never
    }
  }

  function onProved(jobLink: JobLink): void {
    // What is read once shows as well that somebody serves here.
    core.race = { ...core.race, liveAt: now() }
    if (jobLink.use.kind !== 'probe') return
    core.emit({ type: 'probe-proved', afterMs: now() - jobLink.link.startedAt }, jobLink.transport.name)
    if (!core.live) goLive(jobLink)
    core.schedule()
  }

  function onFrames(jobLink: JobLink, frames: readonly Frame[], bytesEach: number | undefined): void {
    const { jobs } = jobLink
    // More has come before a full reader has taken anything.
    if (jobs.full.size > 0) pauseFullReaders(jobs)
    for (const frame of frames) {
      if (isControl(frame)) onControl(jobLink, frame)
      else {
        if (isTerminal(frame.type) && table.active(frame.job).length > 0) core.emit({ type: 'ended', job: frame.job, status: frame.type })
        jobs.event(frame, bytesEach)
      }
    }
    // A full reader has a task's time to take what it has.
    if (jobs.full.size > 0) void macrotask().then(() => pauseFullReaders(jobs))
    if (isWindowHalfUsed(jobLink)) core.schedule()
  }

  /** Lets go of the jobs of readers that can't hold more. */
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

  /** Each of its answers is one to a question of its own. */
  const answersOnce = ({ use, transport }: JobLink): boolean => use.kind === 'read' || transport.traits?.polls !== undefined

  /** What was asked for from further on. A stream that was asked in every way there is still gets there; an answer never does. */
  function onStaleAnswer(jobLink: JobLink, job: string): void {
    const error = new TransportError('stale', `job ${job}: the answer begins at another cursor than requested: that was lost on the way, or a cache answered`)
    core.isFresh = true
    // A link that can ask in place does so.
    if (jobLink.link.update && !jobLink.isFresh) return
    if (jobLink === core.live && !jobLink.isFresh) {
      // Asked so again, it is told from what history has lost: at once.
      endings.fail(jobLink, error)
      core.dropRace()
      core.restart(0, jobLink.transport.name)
    } else if (answersOnce(jobLink) || !jobLink.isFresh) jobLink.link.end(error)
  }

  // ---- the page, and the end

  /** The page is put away: nothing stays open, and nothing is opened until it is back. */
  function onLeave(): void {
    if (now() - endings.lostAt < PAGEHIDE_LAG_MS) core.race = restarted(endings.beforeLoss)
    else if (core.race.phase.kind !== 'waiting') core.race = restarted(core.race)
    core.dropLinks()
    core.endReads()
    timer.set(Infinity)
    announce()
  }

  /** What was waited for may have come, what is live may have died, and what is shown may be out of date. */
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
    if ((Object.keys(next) as (keyof ConnectionState)[]).every((key) => next[key] === state[key])) return // as: its own keys
    state = Object.freeze(next)
    for (const reader of table.all()) reader.connection(state)
  }

  function stopListening(): void {
    for (const stop of unlisten ?? []) stop()
    unlisten = undefined
  }

  return {
    add(reader) {
      // A race that is yet to begin makes what is unknown due by itself.
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
    // Until a hello has told, the others wait for it behind the first.
    takes: () => table.size < (options.capacity() ?? Infinity)
  }
}
