/**
 * Keeps the open links in line with what the readers want. `policy/race.ts` decides when to open, to wait and to give up; the transports
 * know how to read; delivery knows what a frame means to a reader. The connection carries out their decisions. Every change ends in one
 * `reconcile()`.
 */

import { macrotask, now } from '../async/clock.ts'
import { createLongTimer } from '../async/long-timer.ts'
import { createAuth } from '../auth.ts'
import { createJobTable } from '../delivery/job-table.ts'
import { JobtailError } from '../errors.ts'
import { raceError } from '../failures.ts'
import { isOffline } from '../page.ts'
import { patienceMs } from '../policy/backoff.ts'
import { opened, plan, raceOf, reordered, restarted, woken } from '../policy/race.ts'
import { IDLE } from '../state.ts'
import type { Reader, Transport } from '../types.ts'
import { type Core, drop, dropRace, linkFor, open, orderOf, windowOf } from './core.ts'
import { handleLinkEvent } from './link-events.ts'
import { update } from './live-link.ts'
import type { ConnectionOptions } from './options.ts'
import { prepare } from './prepare.ts'
import { lookFirst, readableAt, readDue } from './reads.ts'
import { failAll } from './refusals.ts'
import { reportRace, stateOf } from './report.ts'

export type { Capacity, ConnectionOptions } from './options.ts'

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

/**
 * Makes a connection. It is inert until a reader is added.
 * @throws JobtailError `unsupported` where no transport works here
 */
export function createConnection(options: ConnectionOptions): Connection {
  const { transports, page } = options
  if (transports.length === 0) throw new JobtailError('unsupported', 'no transport works here')
  const timer = createLongTimer(reconcile)
  let isScheduled = false
  let state = IDLE
  /** Removes the listeners on page and transports; set while there are readers. */
  let unlisten: ((() => void) | undefined)[] | undefined
  const race = raceOf(orderOf(options))
  const core: Core = {
    ...options,
    random: Math.random,
    emit: (detail, transport) => options.emit(detail, transport, core.races),
    windowBytes: windowOf(options.bufferBytes),
    table: createJobTable(options.capacity),
    auth: createAuth(options.canReauthorize),
    links: new Set(),
    race,
    reported: race,
    races: 0,
    raceAt: 0,
    replacements: 0,
    network: null,
    freshUntil: 0,
    readRetryAt: 0,
    schedule() {
      if (!isScheduled) queueMicrotask(reconcile)
      isScheduled = true
    },
    onLinkEvent: (jobLink, event) => handleLinkEvent(core, jobLink, event)
  }
  const { table, links } = core

  function reconcile(): void {
    isScheduled = false
    const surplus = table.surplus()
    for (const reader of surplus) table.remove(reader)
    options.onSurplus(surplus)
    reportRace(core)
    timer.set(page.isAway ? Infinity : Math.min(closeDifference(), Math.max(table.nextDueAt(), readableAt(core))))
    announce()
    if (table.size > 0) return
    for (const stop of unlisten ?? []) stop?.()
    unlisten = undefined
  }

  /** Brings links and single reads in line with what is wanted. Returns when something else may have to be opened. */
  function closeDifference(): number {
    readDue(core)
    const wanted = table.wanted()
    if (wanted.length > 0) return reconcileLinks(wanted)
    // Once no job has been wanted for one task, everything is released.
    void macrotask().then(() => table.wanted().length > 0 || release())
    return Infinity
  }

  /** Brings the links in line with what is wanted, and opens others when it is time. */
  function reconcileLinks(wanted: readonly string[]): number {
    for (const jobLink of links) if (jobLink.use === 'probe' || jobLink.use === 'live') update(core, jobLink, wanted)
    for (;;) {
      const step = plan(core.race, now())
      switch (step.do) {
        case 'open':
          core.race = opened(core.race, now(), core)
          core.emit({ type: 'probe-started' }, step.transport)
          // as: a race has the names of these transports only
          open(core, transports.find(({ name }) => name === step.transport) as Transport, 'probe')
          continue
        case 'prepare':
          void prepare(core)
          return Infinity
        case 'wait':
          return step.until
        case 'stop':
          failAll(core, raceError(step, core.request.base, patienceMs(core.race.failures - 1, core.probeTimeoutMs, core.latencyMs)))
          return Infinity
        default:
          return step satisfies never
      }
    }
  }

  /** Closes every link that reads on. Another race may begin at once, unless the server has asked for a pause. */
  function release(): void {
    dropRace(core, 'draining')
    const { phase } = core.race
    if (phase.kind !== 'waiting' || !phase.byServer) core.race = restarted(core.race)
    announce()
  }

  /** The page is put away: everything is closed, and nothing is opened until it is back. */
  function onLeave(): void {
    const { beforeLoss } = core
    if (beforeLoss && now() - beforeLoss.at < PAGEHIDE_LAG_MS) core.race = beforeLoss.race
    drop(core, 'read')
    release()
    core.schedule()
  }

  /** The network or the page's visibility has changed: a pause may end, the live link may have died, and the state may be out of date. */
  function onChange(): void {
    if (!isOffline()) core.reported = core.race = woken(core.race, now())
    linkFor(core, 'live')?.link.check()
    announce()
    core.schedule()
  }

  function onAvailability(): void {
    core.race = reordered(core.race, orderOf(core), now(), core)
    core.schedule()
  }

  function announce(): void {
    const next = stateOf(core)
    if (JSON.stringify(next) === JSON.stringify(state)) return
    state = Object.freeze(next)
    for (const reader of table.all()) reader.connection(state)
  }

  return {
    add(reader) {
      table.add(reader)
      // Before a race the job is made due by the race itself.
      if (core.race.phase.kind === 'racing') lookFirst(core)
      unlisten ??= [page.follow({ onLeave, onChange }), ...transports.map(({ availability }) => availability?.onChange(onAvailability))]
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
