/** The state of a connection (its jobs, its links, its race), and the steps that change its links. */

import { now } from '../async/clock.ts'
import type { Auth } from '../auth.ts'
import type { Credentials } from '../credentials.ts'
import type { JobTable } from '../delivery/job-table.ts'
import { createLinkJobs, type LinkJobs } from '../delivery/link-jobs.ts'
import { type LinkEvent, type RunningLink, runLink } from '../link/link.ts'
import { patienceMs } from '../policy/backoff.ts'
import { paused, type Race, type RacePolicy, restarted } from '../policy/race.ts'
import type { ConnectionState, Reader, Transport } from '../types.ts'
import type { ConnectionOptions } from './options.ts'

/**
 * What a link is used for:
 * - `probe`: it may become live.
 * - `live`: it delivers, and no better one does. There is one at most.
 * - `draining`: it cannot read what is wanted now; it is read on until another link can. There is one at most.
 * - `read`: it is a single read.
 */
export type Use = 'probe' | 'live' | 'draining' | 'read'

/** What a single read is made for. */
export interface ReadPurpose {
  /** The jobs that are read. */
  readonly asked?: readonly string[]
  /** The one reader that it is for, which is behind; otherwise it is for all. */
  readonly reader?: Reader
  /** The silent link that it runs beside: that link is dead where this read brings what it does not. */
  readonly verifies?: JobLink
}

/** A link of a connection. */
export interface JobLink extends ReadPurpose {
  /** Its transport. */
  readonly transport: Transport
  /** Its jobs, and their readers. */
  readonly jobs: LinkJobs
  /** The readers of a job that take events from it now. */
  active(job: string): readonly Reader[]
  /** The credentials that it was opened with. */
  readonly credentials: Credentials
  /** The link itself. */
  readonly link: RunningLink
  /** What it is used for now. */
  use: Use
  /** Its requests are fresh ones: no cache can answer them, and no cursor be lost on the way. */
  isFresh: boolean
}

/** The state of a connection. Times are in ms since 1970. A change of it is followed by `schedule`, unless `reconcile` itself makes it. */
export interface Core extends ConnectionOptions, RacePolicy {
  /** The window of each link. */
  readonly windowBytes: number
  /** Its jobs and readers. */
  readonly table: JobTable
  /** Its credentials. */
  readonly auth: Auth
  /** Its open links. */
  readonly links: Set<JobLink>
  /** The state of the race, and as it was reported last. */
  race: Race
  reported: Race
  /** Aborted once what a race waits for, credentials and hints, is there or needed no more. */
  preparing?: AbortController
  /** How many races there were. */
  races: number
  /** When the race began. A race beside a live link keeps the time of the one before. */
  raceAt: number
  /** How many links in a row were replaced without having read all that was wanted. */
  replacements: number
  /** How long the last winner needed for its first frame. */
  latencyMs?: number | undefined
  /** The type of network that the race's hints are of; `null`: none have been recalled. */
  network: string | undefined | null
  /** The latest failure. */
  problem?: ConnectionState['problem']
  /** Requests are fresh ones until then, because an answer began at another cursor than requested. */
  freshUntil: number
  /** No single read is made before this time. */
  readRetryAt: number
  /** When a live link was lost last, and the race before that loss. */
  beforeLoss?: { readonly at: number; readonly race: Race }
  /** Calls `reconcile` once, in a microtask. */
  schedule(): void
  /** Handles what a link reports. */
  onLinkEvent(jobLink: JobLink, event: LinkEvent): void
}

/**
 * How many restarts in a row happen without a pause. What is wanted may change that often while a link is opened; after that it is the
 * server that does not deliver it.
 */
const MAX_RESTARTS = 5
/** A window is this many buffers: readers that keep up take events as they come, so more may be under way than a buffer holds. */
const BUFFERS_AHEAD = 4
/** The least window of a single read for a slow reader: one event may be that large. */
const MIN_WINDOW_BYTES = 2 ** 16

/** The window of one link, where readers hold so many bytes: a whole number that a server can count with. A larger one is none. */
export const windowOf = (bufferBytes: number): number =>
  BUFFERS_AHEAD * bufferBytes > Number.MAX_SAFE_INTEGER ? Infinity : Math.floor(BUFFERS_AHEAD * bufferBytes)

/** How long a transport has to deliver its first frame, in ms. */
export const patience = ({ race, probeTimeoutMs, latencyMs }: Core): number => patienceMs(race.failures, probeTimeoutMs, latencyMs)

/** The names of the available transports, in order of preference. */
export const orderOf = ({ transports }: Pick<Core, 'transports'>): string[] =>
  transports.filter(({ availability }) => availability?.isAvailable !== false).map(({ name }) => name)

/** The link that has this use. */
export const linkFor = ({ links }: Core, use: Use): JobLink | undefined => [...links].find((each) => each.use === use)

/** True while another link is live: a failure of this one changes nothing. */
export const isBesideLive = (core: Core, jobLink: JobLink): boolean => (linkFor(core, 'live') ?? jobLink) !== jobLink

/** Whether each of the link's answers is to a request of its own. */
export const answersOnce = ({ use, transport }: JobLink): boolean => use === 'read' || transport.traits?.polls !== undefined

/** Opens a link for a use. */
export function open(core: Core, transport: Transport, use: Use, purpose: ReadPurpose = {}): JobLink {
  const { table, auth } = core
  const { asked, reader } = purpose
  const active = reader ? (job: string) => table.readers(job).filter((each) => each === reader && each.mode === 'paging') : table.active
  const jobs = createLinkJobs(active)
  const credentials = auth.latest as Credentials // as: nothing is opened without credentials
  // A reader's room is an estimate. It is rounded to a power of two, because a URL that varies costs a preflight each time (PROTOCOL.md §8.5).
  const windowBytes = reader ? Math.max(MIN_WINDOW_BYTES, 2 ** Math.floor(Math.log2(reader.roomBytes()))) : core.windowBytes
  const jobLink: JobLink = {
    ...purpose,
    transport,
    use,
    isFresh: false,
    jobs,
    active,
    credentials,
    link: runLink({
      patienceMs: patience(core),
      open(signal) {
        const cursors = jobs.requestJobs(asked ?? table.wanted())
        const isRepeated = cursors.filter(({ job, after }) => table.isRepeat(job, transport.name, after)).length > 0
        const headers = new Headers(credentials.headers)
        jobLink.isFresh = isRepeated || now() < core.freshUntil
        return transport.open({
          ...core.request,
          ...credentials,
          headers,
          jobs: cursors,
          windowBytes,
          // A poll that goes on reads it again for each request.
          get isFresh() {
            return jobLink.isFresh
          },
          signal
        })
      },
      onEvent: (event) => core.onLinkEvent(jobLink, event)
    })
  }
  core.links.add(jobLink)
  return jobLink
}

/** Takes a link from the open ones. Returns false where it is none of them. */
export function remove(core: Core, jobLink: JobLink): boolean {
  // Something was live until now, whatever comes next.
  if (jobLink.use === 'live') core.race = { ...core.race, liveAt: now() }
  return core.links.delete(jobLink)
}

/** Closes the links of these uses. */
export function drop(core: Core, ...uses: Use[]): void {
  for (const jobLink of core.links) if (uses.includes(jobLink.use)) dropLink(core, jobLink)
}

/** Closes a link that is no longer needed. The end of a single read is still reported: its jobs are given back to the links then. */
export function dropLink(core: Core, jobLink: JobLink): void {
  jobLink.link.end()
  if (jobLink.use !== 'read') remove(core, jobLink)
  if (jobLink.use === 'probe') reportAbandoned(core, jobLink)
}

/** Reports that a candidate was closed before its first frame, if it was. */
export function reportAbandoned({ emit }: Core, { link, transport }: JobLink): void {
  if (link.provedAt === undefined) emit({ type: 'probe-abandoned', afterMs: now() - link.startedAt }, transport.name)
}

/** Closes the live link, the candidates and links of other uses, and stops what prepares more candidates. */
export function dropRace(core: Core, ...others: Use[]): void {
  core.preparing?.abort()
  drop(core, 'live', 'probe', ...others)
}

/** Begins another race: at once, or after a pause where `times`, the restarts in a row, are too many. */
export function restart(core: Core, times: number): void {
  dropRace(core)
  core.race = times > MAX_RESTARTS ? paused(core.race, 0, undefined, now(), core) : restarted(core.race)
}
