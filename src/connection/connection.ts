/**
 * Keeps the open links in line with what the readers want. `policy/race.ts` decides when to open, to wait and to give up; the transports
 * know how to read; delivery knows what a frame means to a reader. The connection carries out their decisions. Every change ends in one
 * `reconcile()`.
 */

import { macrotask, now } from '../async/clock.ts'
import { createLongTimer } from '../async/long-timer.ts'
import { JobtailError } from '../errors.ts'
import { raceError } from '../failures.ts'
import { isOffline } from '../page.ts'
import { patienceMs } from '../policy/backoff.ts'
import { opened, plan, restarted, woken } from '../policy/race.ts'
import { IDLE } from '../state.ts'
import type { ConnectionState, Reader, Transport } from '../types.ts'
import { activeReaders, type ConnectionOptions, createCore } from './core.ts'
import { createEndings } from './endings.ts'
import { createLinkEvents } from './link-events.ts'
import { createLiveLink } from './live-link.ts'
import { createOpening } from './opening.ts'
import { createReads } from './reads.ts'
import { failAll } from './refusals.ts'
import { stateOf } from './state.ts'

export type { ConnectionOptions } from './core.ts'

/** What a connection needs of its pool. */
export interface Capacity extends Pick<ConnectionOptions, 'capacity'> {
  /** The server has told how many jobs one connection may carry. */
  onMux(mux: number): void
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
  const core = createCore(options, reconcile, (jobLink, event) => onLinkEvent(jobLink, event))
  const reads = createReads(core, readOnce)
  const opening = createOpening(core)
  const endings = createEndings(core, reads)
  const liveLink = createLiveLink(core, opening)
  const onLinkEvent = createLinkEvents(core, reads, endings, liveLink, options.onMux)
  const { table, links, policy } = core
  const timer = createLongTimer(reconcile)
  let state = IDLE
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
    if (transports.length === 0) return failAll(core, new JobtailError('unsupported', 'no transport works here'))
    for (const jobLink of [...links]) liveLink.update(jobLink, wanted)
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
