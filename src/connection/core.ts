/** What a connection has, and the steps that its parts share: its jobs, its links, its race. Decides nothing. */

import { macrotask, now } from '../async/clock.ts'
import { type Auth, createAuth } from '../auth.ts'
import type { Credentials } from '../credentials.ts'
import { createJobTable, type JobTable } from '../delivery/job-table.ts'
import { createLinkJobs } from '../delivery/link-jobs.ts'
import type { Emit } from '../diagnostics.ts'
import { describeFailures } from '../failures.ts'
import type { Hints } from '../hints.ts'
import { type LinkEvent, runLink } from '../link/link.ts'
import { isOffline, type Page } from '../page.ts'
import { patienceMs } from '../policy/backoff.ts'
import { paused, prolonged, type Race, type RacePolicy, raceOf, restarted } from '../policy/race.ts'
import type { Settings } from '../settings.ts'
import type { ConnectionState, DiagnosticDetail, OpenRequest, Reader, Transport } from '../types.ts'
import type { JobLink, Use } from './job-link.ts'

export interface ConnectionOptions extends Pick<Settings, 'firstLook' | 'staggerMs' | 'probeTimeoutMs' | 'unknownJobGraceMs' | 'bufferBytes' | 'retry'> {
  /** The supported ones, best first. */
  transports: readonly Transport[]
  readOnce: Transport | undefined
  request: Pick<OpenRequest, 'base' | 'credentials' | 'fetch' | 'WebSocket'>
  /** Asks the token and the header source. */
  authorize(): Promise<Credentials>
  /** Whether asking again may give another token. */
  canReauthorize: boolean
  hints: Hints
  page: Page
  emit: Emit
  /** The first race has delivered nothing. */
  warn(message: string): void
  /** How many jobs one connection may carry; undefined until a hello has told. */
  capacity(): number | undefined
}

export interface Core {
  readonly options: ConnectionOptions
  readonly policy: RacePolicy
  readonly table: JobTable
  readonly auth: Auth
  readonly links: Set<JobLink>
  /** To be written by `turn`, but for what nobody is told of. */
  race: Race
  live: JobLink | undefined
  draining: JobLink | undefined
  /** Credentials and hints are being asked for. */
  preparing: AbortController | undefined
  /** Races so far. */
  races: number
  /** How long the transport that worked last needed for its first frame. */
  latencyMs: number | undefined
  /** The type of network that the race knows; null: nothing has been recalled yet. */
  network: string | undefined | null
  /** What failed last. */
  problem: ConnectionState['problem']
  /** An answer came from somewhere else than asked for: what is opened asks so that it can't be lost, or out of a cache. */
  isFresh: boolean
  /** What may be on its way over one link. */
  readonly windowBytes: number
  /** Has everything brought in line with what is wanted, once all that happens now has happened. */
  schedule(): void
  emit(detail: DiagnosticDetail, transport?: string): void
  /** The names of the transports that are there now, best first. */
  order(): string[]
  patience(): number
  /** From when on something may be read: not without credentials, nor while the server has asked for silence. */
  readableAt(): number
  /** True while another link is live: a failure of this one changes nothing. */
  isBesideLive(jobLink: JobLink): boolean
  open(transport: Transport, use: Use): JobLink
  drop(jobLink: JobLink): void
  /** Ends the live link and those that are tried, and what was to be opened. */
  dropRace(): void
  /** The same, and what is read on until something is live. */
  dropLinks(): void
  endReads(): void
  /** The race goes on to its next state; who listens is told what is new. */
  turn(next: Race): void
  /** Another race: at once, unless that has been so too often in a row. */
  restart(times: number, favourite?: string): void
  /** Somebody has asked for silence, on every transport. */
  pause(jobLink: JobLink, atLeastMs: number): void
}

/** What is wanted may change as often while a link is opened; more often it is the server that doesn't give it, and is asked ever more rarely. */
const MAX_RESTARTS = 5
/** What may be on its way to readers that keep up: they take it as it comes, so that it is more than one can hold. */
const BUFFERS_AHEAD = 4
/** A reader that has little room is still sent so much at once: an event may be that large. */
const MIN_WINDOW_BYTES = 2 ** 16

/** The readers that take part in what a link reads. */
export function activeReaders(table: JobTable, use: Use): (job: string) => readonly Reader[] {
  if (use.kind !== 'read' || !use.reader) return table.active
  const { reader } = use
  return (job) => (reader.mode === 'paging' && table.readers(job).includes(reader) ? [reader] : [])
}

export function createCore(options: ConnectionOptions, reconcile: () => void, onLinkEvent: (jobLink: JobLink, event: LinkEvent) => void): Core {
  const { transports, retry } = options
  const order = (): string[] => transports.filter(({ availability }) => availability?.isAvailable !== false).map(({ name }) => name)
  let isScheduled = false

  function reportTurn(before: Race): void {
    const { phase, failed, records } = core.race
    if (phase.kind === 'waiting' && phase !== before.phase) core.emit({ type: 'waiting', ms: phase.ms, reason: phase.reason })
    // Where the first race has delivered nothing, a developer should know; unless the server's own word comes in the same task.
    if (core.races === 1 && phase !== before.phase && phase.kind !== 'racing' && failed.length > 0)
      void macrotask().then(() => core.table.wanted().length > 0 && options.warn(describeFailures(failed, options.request.base)))
    for (const [name, { demotedUntil }] of Object.entries(records))
      if (demotedUntil > now() && demotedUntil !== before.records[name]?.demotedUntil) core.emit({ type: 'demoted', untilMs: demotedUntil }, name)
  }

  const core: Core = {
    options,
    policy: { staggerMs: options.staggerMs, retry, random: Math.random },
    table: createJobTable(options.capacity),
    auth: createAuth(options.canReauthorize),
    links: new Set(),
    race: raceOf(order()),
    live: undefined,
    draining: undefined,
    preparing: undefined,
    races: 0,
    latencyMs: undefined,
    network: null,
    problem: undefined,
    isFresh: false,
    windowBytes: BUFFERS_AHEAD * options.bufferBytes,

    schedule() {
      if (isScheduled) return
      isScheduled = true
      queueMicrotask(() => {
        isScheduled = false
        reconcile()
      })
    },
    emit: (detail, transport) => options.emit(detail, transport, core.races),
    order,
    patience: () => patienceMs(core.race.failures, options.probeTimeoutMs, core.latencyMs),
    readableAt() {
      const { phase } = core.race
      if (!core.auth.latest) return Infinity
      return phase.kind === 'waiting' && phase.byServer ? phase.until : 0
    },
    isBesideLive: (jobLink) => core.live !== undefined && core.live !== jobLink,

    open(transport, use) {
      const { table } = core
      const jobs = createLinkJobs(activeReaders(table, use))
      const credentials = core.auth.latest as Credentials // as: nothing is opened before they are there
      // Servers take whole bytes only; what events weigh is estimated.
      // Of few sizes, since a URL that varies costs a preflight each time (PROTOCOL.md §8.5).
      const windowBytes =
        use.kind === 'read' && use.reader ? Math.max(MIN_WINDOW_BYTES, 2 ** Math.floor(Math.log2(use.reader.roomBytes()))) : Math.floor(core.windowBytes)
      const jobLink: JobLink = {
        transport,
        use,
        isFresh: false,
        jobs,
        credentials,
        link: runLink({
          patienceMs: core.patience(),
          open(signal) {
            const asked = jobs.request(use.kind === 'read' ? use.jobs : table.wanted())
            const isRepeated = asked.filter(({ job, after }) => table.isRepeat(job, transport.name, after)).length > 0
            const headers = new Headers(credentials.headers)
            jobLink.isFresh = core.isFresh || isRepeated
            return transport.open({ ...options.request, ...credentials, headers, jobs: asked, windowBytes, isFresh: jobLink.isFresh, signal })
          },
          onEvent: (event) => onLinkEvent(jobLink, event)
        })
      }
      core.links.add(jobLink)
      return jobLink
    },

    drop(jobLink) {
      jobLink.use = { kind: 'dropped' }
      jobLink.link.end()
    },
    dropRace() {
      core.preparing?.abort()
      core.preparing = undefined
      // However it goes on, something was live until now.
      if (core.live) core.race = { ...core.race, liveAt: now() }
      for (const jobLink of core.links) if (jobLink.use.kind === 'live' || jobLink.use.kind === 'probe') core.drop(jobLink)
      core.live = undefined
    },
    dropLinks() {
      core.dropRace()
      if (core.draining) core.drop(core.draining)
      core.draining = undefined
    },
    endReads() {
      for (const { use, link } of core.links) if (use.kind === 'read') link.end()
    },

    turn(next) {
      const before = core.race
      // Not for ever: browsers have been wrong about being offline.
      core.race = next.phase.kind !== before.phase.kind && isOffline() ? prolonged(next, retry.maxMs, now()) : next
      reportTurn(before)
      core.schedule()
    },
    restart(times, favourite) {
      core.turn(times > MAX_RESTARTS ? paused(core.race, 0, favourite, now(), core.policy) : restarted(core.race, favourite))
    },
    pause(jobLink, atLeastMs) {
      const favourite = jobLink.use.kind === 'read' ? core.race.favourite : jobLink.transport.name
      core.dropRace()
      core.endReads()
      core.turn(paused(core.race, atLeastMs, favourite, now(), core.policy))
    }
  }
  return core
}
