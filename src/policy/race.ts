/**
 * When a transport is opened, when to wait, and when to give up: pure. The connection reports what happens, asks `plan`, and carries out the answer.
 *
 * A race: candidates start one after the other, overlapping; the first that delivers is live. Better ones still start, now and again later,
 * and take over once they serve. It ends where nobody has delivered, or with the live link.
 */

import type { FailureReason, RetryOptions, WaitReason } from '../types.ts'
import { backoffMs } from './backoff.ts'
import { betterThan, type Ranked, ranking, recordShortLife, recordUsefulLife, USEFUL_LIFE_MS } from './ranking.ts'

/** First pause before what is better than the live transport is tried again; doubled each time, */
const FIRST_UPGRADE_MS = 5000
/** up to this: what has become possible is had within a minute. */
const MAX_UPGRADE_MS = 45_000
/** For so long after something was live a 4xx of the path's own is taken for a deploy: routers answer 404 while their targets are replaced. */
const DEPLOY_MS = 180_000

/** How one candidate failed. */
export interface Failure {
  readonly transport: string
  readonly reason: FailureReason
  readonly status?: number | undefined
  readonly message: string
  /** Its status can't be seen, so that it has no vote. */
  readonly hidesStatus?: boolean
}

export type Phase =
  /** A race may begin at once. */
  | { readonly kind: 'ready' }
  /** Firm: the server has asked for it. Another pause may be cut short where there is reason to hope. */
  | { readonly kind: 'waiting'; readonly until: number; readonly ms: number; readonly reason: WaitReason; readonly isFirm: boolean }
  | { readonly kind: 'racing' }
  /** The transport delivers; better ones are tried at `upgradeAt`, for the `tries`-th time. */
  | { readonly kind: 'live'; readonly transport: string; readonly upgradeAt: number; readonly tries: number }
  /** The attempts are used up; or every path gave the same 4xx, `status`, and asking again won't help. */
  | { readonly kind: 'stopped'; readonly status: number | undefined; readonly failures: readonly Failure[] }

export interface Race extends Ranked {
  readonly phase: Phase
  /** What worked last time, in memory or in this page: it starts first. */
  readonly favourite: string | undefined
  /** Races in a row that delivered nothing. */
  readonly failures: number
  /** Still to be started, and when the first of them is. */
  readonly queue: readonly string[]
  readonly nextAt: number
  /** Started, and neither live nor failed. */
  readonly probing: readonly string[]
  /** How those failed that did, since the race began. */
  readonly failed: readonly Failure[]
  /** When something was live last; undefined: never. */
  readonly liveAt: number | undefined
  /** Nothing is tried beside a live link before: one that was had been asked to stay away. */
  readonly quietUntil: number
}

/** How a live link ended: `livedMs` from its proof to the last that was known of it; `events`: what nobody had had; with `byeMs` the server had said to come back within a random time up to that. */
export interface Loss {
  readonly livedMs: number
  readonly events: number
  readonly byeMs: number | undefined
}

export interface RacePolicy {
  staggerMs: number
  retry: Required<RetryOptions>
  random: () => number
}

export type Step =
  /** Asks for credentials, and begins a race, or tries better ones than the live one. */
  | { do: 'prepare' }
  | { do: 'open'; transport: string }
  | { do: 'wait'; until: number }
  | { do: 'stop'; status: number | undefined; failures: readonly Failure[] }

export const raceOf = (order: readonly string[]): Race => ({
  order,
  records: {},
  phase: { kind: 'ready' },
  favourite: undefined,
  failures: 0,
  queue: [],
  nextAt: 0,
  probing: [],
  failed: [],
  liveAt: undefined,
  quietUntil: 0
})

/** What to do now. */
export function plan(race: Race, now: number): Step {
  const { phase, queue, nextAt } = race
  switch (phase.kind) {
    case 'ready':
      return { do: 'prepare' }
    case 'waiting':
      return now < phase.until ? { do: 'wait', until: phase.until } : { do: 'prepare' }
    case 'racing':
      return planQueue(queue, nextAt, now)
    case 'live': {
      if (queue.length > 0) return planQueue(queue, nextAt, now)
      if (upgrades(race, now).length === 0) return { do: 'wait', until: Infinity }
      const until = Math.max(phase.upgradeAt, race.quietUntil)
      return now < until ? { do: 'wait', until } : { do: 'prepare' }
    }
    case 'stopped':
      return { ...phase, do: 'stop' }
    default:
      return phase satisfies never
  }
}

const planQueue = ([transport]: readonly string[], nextAt: number, now: number): Step =>
  transport === undefined || now < nextAt ? { do: 'wait', until: transport === undefined ? Infinity : nextAt } : { do: 'open', transport }

const liveOf = ({ phase }: Race): string | undefined => (phase.kind === 'live' ? phase.transport : undefined)

/** What is better than the live transport, and not being tried. */
const upgrades = (race: Race, now: number): string[] => betterThan(race, liveOf(race), now).filter((name) => !race.probing.includes(name))

/** Whether a transport ranks above the live one; true where nothing is live. */
export const isBetter = (race: Race, transport: string, now: number): boolean => betterThan(race, liveOf(race), now).includes(transport)

const upgradeMs = (tries: number, random: () => number): number => Math.min(MAX_UPGRADE_MS, FIRST_UPGRADE_MS * 2 ** tries) * (0.5 + random() / 2)

/** Credentials are there: a race begins; beside a live link, one of those that are better. */
export function begin(race: Race, now: number, { random }: RacePolicy): Race {
  const { phase } = race
  if (phase.kind === 'live')
    return {
      ...race,
      queue: upgrades(race, now),
      nextAt: now,
      phase: { ...phase, tries: phase.tries + 1, upgradeAt: now + upgradeMs(phase.tries + 1, random) }
    }
  const isFavourite = (name: string): number => (name === race.favourite ? 1 : 0)
  return { ...race, queue: ranking(race, now).sort((a, b) => isFavourite(b) - isFavourite(a)), nextAt: now, probing: [], failed: [], phase: { kind: 'racing' } }
}

/** The first of the queue was opened. */
export const opened = (race: Race, now: number, { staggerMs }: RacePolicy): Race => ({
  ...race,
  queue: race.queue.slice(1),
  probing: [...race.probing, ...race.queue.slice(0, 1)],
  nextAt: now + staggerMs
})

/** A candidate ended before it was live; with `failure`, by itself. */
export function probeEnded(race: Race, transport: string, failure: Failure | undefined, now: number, policy: RacePolicy): Race {
  const isLatest = race.probing.at(-1) === transport
  const next: Race = {
    ...race,
    probing: race.probing.filter((name) => name !== transport),
    failed: failure ? [...race.failed, failure] : race.failed,
    nextAt: isLatest ? now : race.nextAt,
    records: failure?.reason === 'mute' ? recordShortLife(race.records, transport, now) : race.records
  }
  if (next.phase.kind !== 'racing' || next.queue.length > 0 || next.probing.length > 0) return next
  // What only ended has not failed: nobody needed it, or it had an old token.
  return next.failed.length > 0 ? nobodyDelivered(next, now, policy) : restarted(next)
}

/** Nobody has delivered; or no credentials were to be had, which is the one failure then. */
export function nobodyDelivered(race: Race, now: number, policy: RacePolicy): Race {
  const failures = race.failures + 1
  const isDeploy = race.liveAt !== undefined && now - race.liveAt < DEPLOY_MS
  const status = isDeploy ? undefined : unanimous(race.failed)
  const next = { ...race, failures }
  if (status !== undefined || failures >= policy.retry.attempts) return { ...next, phase: { kind: 'stopped', status, failures: race.failed } }
  return wait(next, backoffMs(failures - 1, policy.retry, policy.random), 'unreachable', false, now)
}

/** The transport is live, in place of the one before. Of the others only better ones are still wanted. */
export function goneLive(race: Race, transport: string, now: number, { random }: RacePolicy): Race {
  const phase: Phase = { kind: 'live', transport, tries: 0, upgradeAt: now + upgradeMs(0, random) }
  const next: Race = { ...race, phase, favourite: transport, liveAt: now }
  const better = (names: readonly string[]): string[] => names.filter((name) => isBetter(next, name, now))
  return { ...next, queue: better(race.queue), probing: better(race.probing) }
}

/** The live link ended by itself. What is still being tried is given up by whoever opened it. */
export function lost(race: Race, { livedMs, events, byeMs }: Loss, now: number, { retry, random }: RacePolicy): Race {
  const transport = liveOf(race) ?? ''
  // A window that is used up has been useful: come back at once, the server says.
  const isUseful = livedMs >= USEFUL_LIFE_MS || (byeMs === 0 && events > 0)
  // A planned close says nothing against the transport.
  const isShort = !isUseful && byeMs === undefined
  // A life that brought nothing resets nothing: an endpoint that opens and dies would be tried at full speed for ever.
  const failures = isUseful || events > 0 ? 0 : race.failures + 1
  const next: Race = {
    ...restarted(race),
    favourite: isShort ? undefined : transport,
    failures,
    liveAt: now,
    records: isUseful ? recordUsefulLife(race.records, transport) : isShort ? recordShortLife(race.records, transport, now) : race.records
  }
  const byePauseMs = random() * (byeMs ?? 0)
  if (isUseful) return byePauseMs > 0 ? wait(next, byePauseMs, 'bye', true, now) : next
  if (failures > 0 && failures >= retry.attempts) return { ...next, phase: { kind: 'stopped', status: undefined, failures: [] } }
  return wait(next, Math.max(backoffMs(Math.max(0, failures - 1), retry, random), byePauseMs), 'unstable', byePauseMs > 0, now)
}

/** The server, or somebody before it, asks for a pause of at least so long (`Retry-After`). Everybody was told the same: they come back over as long again. */
export function paused(race: Race, atLeastMs: number, transport: string | undefined, now: number, { retry, random }: RacePolicy): Race {
  const next = { ...restarted(race, transport), failures: race.failures + 1 }
  return wait(next, atLeastMs + Math.max(backoffMs(race.failures, retry, random), random() * atLeastMs), 'busy', true, now)
}

/** A better transport than the live one was asked not to come before so long. */
export const upgradePaused = (race: Race, atLeastMs: number, now: number): Race =>
  race.phase.kind === 'live' ? { ...race, queue: [], quietUntil: Math.max(race.quietUntil, now + atLeastMs) } : race

/** Nothing is open any more, and a race may begin at once. */
export const restarted = (race: Race, favourite: string | undefined = race.favourite): Race => ({
  ...race,
  favourite,
  queue: [],
  probing: [],
  phase: { kind: 'ready' }
})

/** There is reason to hope: the network has changed, the page is seen again. A pause that the server has asked for goes on. */
export function woken(race: Race, now: number): Race {
  const { phase } = race
  if (phase.kind === 'waiting' && !phase.isFirm) return { ...race, phase: { ...phase, until: now } }
  return phase.kind === 'live' ? { ...race, phase: { ...phase, upgradeAt: now } } : race
}

/** A pause that nobody has asked for lasts at least so long from now. */
export function prolonged(race: Race, ms: number, now: number): Race {
  const { phase } = race
  return phase.kind === 'waiting' && !phase.isFirm ? { ...race, phase: { ...phase, ms: Math.max(phase.ms, ms), until: Math.max(phase.until, now + ms) } } : race
}

const wait = (race: Race, ms: number, reason: WaitReason, isFirm: boolean, now: number): Race => ({
  ...race,
  phase: { kind: 'waiting', until: now + ms, ms, reason, isFirm }
})

/** Somebody's patience, or somebody's limit: the same request may be answered later (RFC 9110 §15.5.9, RFC 6585 §4). */
export const isPassing = (status: number): boolean => status >= 500 || status === 408 || status === 429

/** The 4xx that every candidate with a vote gave, and that asking again won't change. */
function unanimous(failures: readonly Failure[]): number | undefined {
  const votes = failures.filter(({ hidesStatus }) => !hidesStatus)
  const status = votes[0]?.status
  return status !== undefined && status >= 400 && !isPassing(status) && votes.every((vote) => vote.status === status) ? status : undefined
}
