/** The state of a connection (its jobs, its links, its race) and the steps that its parts share. It decides nothing. */

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

/** What a connection is made of. */
export interface ConnectionOptions extends Pick<Settings, 'firstLook' | 'staggerMs' | 'probeTimeoutMs' | 'unknownJobGraceMs' | 'bufferBytes' | 'retry'> {
  /** The transports that are supported here, in order of preference. */
  transports: readonly Transport[]
  /** Makes single reads; `undefined` where the backend has none. */
  readOnce: Transport | undefined
  /** What every request has in common. */
  request: Pick<OpenRequest, 'base' | 'credentials' | 'fetch' | 'WebSocket'>
  /** Calls the token source and the header source. */
  authorize(): Promise<Credentials>
  /** Whether the token source may give other credentials at a second call. */
  canReauthorize: boolean
  /** When the server answered a request beside the links last, such as a start, in ms since 1970; 0: never. */
  answeredAt(): number
  /** What is known of the transports. */
  hints: Hints
  /** The page that the client lives in. */
  page: Page
  /** Reports a diagnostic. */
  emit: Emit
  /** Tells the developer that the first race has delivered nothing. */
  warn(message: string): void
  /** How many jobs one connection may carry; `undefined` until a `hello` has told it. */
  capacity(): number | undefined
}

/** The state of a connection. Times are in ms since 1970. */
export interface Core {
  /** What the connection is made of. */
  readonly options: ConnectionOptions
  /** What its races depend on. */
  readonly policy: RacePolicy
  /** Its jobs and readers. */
  readonly table: JobTable
  /** Its credentials. */
  readonly auth: Auth
  /** Its open links. */
  readonly links: Set<JobLink>
  /** The state of the race. Written through `turn`, which reports what changed; directly only where there is nothing to report. */
  race: Race
  /** The link that delivers. */
  live: JobLink | undefined
  /** The link that is read on until its replacement delivers. */
  draining: JobLink | undefined
  /** Set while a race waits for credentials and hints. */
  preparing: AbortController | undefined
  /** How many races there were. */
  races: number
  /** How long the last winner needed for its first frame. */
  latencyMs: number | undefined
  /** The type of network that the race's hints are of; `null`: none have been recalled. */
  network: string | undefined | null
  /** The latest failure. */
  problem: ConnectionState['problem']
  /** True after an answer began at another cursor than requested: every later request is a fresh one. */
  isFresh: boolean
  /** The window of one link. */
  readonly windowBytes: number
  /** Calls `reconcile` once, in a microtask. */
  schedule(): void
  /** Reports a diagnostic of the current race. */
  emit(detail: DiagnosticDetail, transport?: string): void
  /** The names of the available transports, in order of preference. */
  order(): string[]
  /** How long a transport has to deliver its first frame, in ms. */
  patience(): number
  /** From when on something may be read; `Infinity` without credentials. While the server has asked for a pause, the end of the pause. */
  readableAt(): number
  /** True while another link is live: a failure of this one changes nothing. */
  isBesideLive(jobLink: JobLink): boolean
  /** Opens a link for a use. */
  open(transport: Transport, use: Use): JobLink
  /** Closes a link that is no longer needed. */
  drop(jobLink: JobLink): void
  /** Closes the live link and the candidates, and stops what prepares more of them. */
  dropRace(): void
  /** Closes these and the draining link. */
  dropLinks(): void
  /** Ends every single read. */
  endReads(): void
  /** Changes the race's state, and reports what is new. */
  turn(next: Race): void
  /** Begins another race: at once, or after a pause where `times`, the restarts in a row, are too many. `favourite` starts first. */
  restart(times: number, favourite?: string): void
  /** Pauses every transport, because the server or an intermediary asked for it. */
  pause(jobLink: JobLink, atLeastMs: number): void
}

/**
 * How many restarts in a row happen without a pause. What is wanted may change that often while a link is opened; after that it is the
 * server that does not deliver it.
 */
const MAX_RESTARTS = 5
/** A window is this many buffers: readers that keep up take events as they come, so more may be under way than a buffer holds. */
const BUFFERS_AHEAD = 4
/** Windows are whole numbers of bytes that a server can count with. A larger one is none. */
const windowOf = (bufferBytes: number): number => (BUFFERS_AHEAD * bufferBytes <= Number.MAX_SAFE_INTEGER ? BUFFERS_AHEAD * bufferBytes : Infinity)
/** The least window of a single read for a slow reader: one event may be that large. */
const MIN_WINDOW_BYTES = 2 ** 16

/** The readers of a job that take events from a link of this use. */
export function activeReaders(table: JobTable, use: Use): (job: string) => readonly Reader[] {
  if (use.kind !== 'read' || !use.reader) return table.active
  const { reader } = use
  return (job) => (reader.mode === 'paging' && table.readers(job).includes(reader) ? [reader] : [])
}

/** Makes a connection's state, without links. */
export function createCore(options: ConnectionOptions, reconcile: () => void, onLinkEvent: (jobLink: JobLink, event: LinkEvent) => void): Core {
  const { transports, retry } = options
  const order = (): string[] => transports.filter(({ availability }) => availability?.isAvailable !== false).map(({ name }) => name)
  let isScheduled = false

  function reportTurn(before: Race): void {
    const { phase, failed, records } = core.race
    if (phase.kind === 'waiting' && phase !== before.phase) core.emit({ type: 'waiting', ms: phase.ms, reason: phase.reason })
    // A developer should know that the first race delivered nothing; a task later, so that the server's own refusal can come first.
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
    windowBytes: windowOf(options.bufferBytes),

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
      const credentials = core.auth.latest as Credentials // as: nothing is opened without credentials
      // A server takes whole bytes only, and the room is an estimate. It is rounded to a power of two, because a URL that varies costs a
      // preflight each time (PROTOCOL.md §8.5).
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
            const asked = jobs.requestJobs(use.kind === 'read' ? use.jobs : table.wanted())
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
      // Something was live until now, whatever comes next.
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
      // The pause ends nevertheless: browsers have wrongly reported being offline.
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
