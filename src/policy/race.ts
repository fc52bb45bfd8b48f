/**
 * When to open a transport, when to wait, and when to give up. Pure: the connection reports what happens, asks `plan`, and carries out the
 * answer.
 *
 * In a race candidates start one after the other and overlap. The first that delivers is live. Better ones still start, now and again
 * later, and take over once they deliver. The race ends when nobody has delivered, or with the live link.
 */

import type { WaitReason } from '../types.ts'
import { backoffMs } from './backoff.ts'
import type { Failure, Loss, Phase, Race, RacePolicy, Step } from './race-state.ts'
import { betterThan, ranking, recordShortLife, recordUsefulLife, USEFUL_LIFE_MS } from './ranking.ts'

export type * from './race-state.ts'
export { raceOf } from './race-state.ts'

/** The first pause before transports better than the live one are tried again; doubled each time. */
const FIRST_UPGRADE_MS = 5000
/** The longest such pause: a better path is found within a minute of becoming possible. */
const MAX_UPGRADE_MS = 45_000
/** How long after something was live a 4xx of every path counts as a deploy: routers answer 404 while their targets are replaced. */
const DEPLOY_MS = 180_000

/** Decides what to do now. */
export function plan(race: Race, now: number): Step {
  const { phase, queue } = race
  if (phase.kind === 'stopped') return { do: 'stop', status: phase.status, failures: race.failed }
  const [transport] = queue
  const until = transport === undefined ? readyAt(race, phase, now) : race.nextAt
  if (now < until) return { do: 'wait', until }
  return transport === undefined ? { do: 'prepare' } : { do: 'open', transport }
}

/** When a race may begin, where none of its candidates is left to start. */
function readyAt(race: Race, phase: Exclude<Phase, { kind: 'stopped' }>, now: number): number {
  switch (phase.kind) {
    case 'ready':
      return 0
    case 'waiting':
      return phase.until
    case 'racing':
      return Infinity
    case 'live':
      return upgrades(race, now).length > 0 ? Math.max(phase.upgradeAt, race.quietUntil) : Infinity
    default:
      return phase satisfies never
  }
}

const liveOf = ({ phase }: Race): string | undefined => (phase.kind === 'live' ? phase.transport : undefined)

/** The transports that rank above the live one and are not being tried. */
const upgrades = (race: Race, now: number): string[] => betterThan(race, liveOf(race), now).filter((name) => !race.probing.includes(name))

/** Whether a transport ranks above the live one; true where nothing is live. */
export const isBetter = (race: Race, transport: string, now: number): boolean => betterThan(race, liveOf(race), now).includes(transport)

/** The transport is live. How long to wait before better ones are tried grows; the second half of it is random, so that clients do not come all at once. */
function live(transport: string, tries: number, now: number, { random }: RacePolicy): Phase {
  const ms = Math.min(MAX_UPGRADE_MS, FIRST_UPGRADE_MS * 2 ** tries)
  return { kind: 'live', transport, tries, upgradeAt: now + ms * (0.5 + random() / 2) }
}

/** Credentials are there: a race begins. Beside a live link, only the transports better than it compete. */
export function begin(race: Race, now: number, policy: RacePolicy): Race {
  const { phase } = race
  if (phase.kind === 'live') return { ...race, queue: upgrades(race, now), nextAt: now, phase: live(phase.transport, phase.tries + 1, now, policy) }
  const isFavourite = (name: string): number => (name === race.favourite ? 1 : 0)
  return { ...race, queue: ranking(race, now).sort((a, b) => isFavourite(b) - isFavourite(a)), nextAt: now, probing: [], failed: [], phase: { kind: 'racing' } }
}

/** The first candidate of the queue was opened. */
export const opened = (race: Race, now: number, { staggerMs }: RacePolicy): Race => ({
  ...race,
  queue: race.queue.slice(1),
  probing: [...race.probing, ...race.queue.slice(0, 1)],
  nextAt: now + staggerMs
})

/** A candidate ended before it was live: it failed where `failure` is given, otherwise it was closed. */
export function probeEnded(race: Race, transport: string, failure: Failure | undefined, now: number, policy: RacePolicy): Race {
  const isLatest = race.probing.at(-1) === transport
  const next: Race = {
    ...race,
    probing: race.probing.filter((name) => name !== transport),
    failed: failure ? [...race.failed, failure] : race.failed,
    nextAt: isLatest ? now : race.nextAt,
    records: failure?.reason === 'mute' ? recordShortLife(race.records, transport, now) : race.records
  }
  return settled(next, now, policy)
}

/** Ends a race that has no candidate left. Those that were closed have not failed: nobody needed them any more, or their token was replaced. */
function settled(race: Race, now: number, policy: RacePolicy): Race {
  if (race.phase.kind !== 'racing' || race.queue.length > 0 || race.probing.length > 0) return race
  return race.failed.length > 0 ? nobodyDelivered(race, now, policy) : restarted(race)
}

/** Other transports are available, in order of preference: a pause ends, and a candidate that is none of them any more is not started. */
export const reordered = (race: Race, order: readonly string[], now: number, policy: RacePolicy): Race =>
  woken(settled({ ...race, order, queue: race.queue.filter((name) => order.includes(name)) }, now, policy), now)

/** No candidate has delivered; or there were no credentials, which then is the race's one failure. */
export function nobodyDelivered(race: Race, now: number, policy: RacePolicy): Race {
  const failures = race.failures + 1
  const isDeploy = race.liveAt !== undefined && now - race.liveAt < DEPLOY_MS
  const status = isDeploy ? undefined : unanimous(race.failed)
  const next = { ...race, failures }
  if (status !== undefined || failures >= policy.retry.attempts) return { ...next, phase: { kind: 'stopped', status } }
  // Otherwise an outage of 4 s could be followed by a pause of 16 s.
  const outageMs = race.liveAt === undefined ? Infinity : now - race.liveAt
  const maxMs = Math.min(policy.retry.maxMs, Math.max(policy.retry.baseMs, outageMs))
  return wait(next, backoffMs(failures - 1, { ...policy.retry, maxMs }, policy.random), 'unreachable', false, now)
}

/** The transport is live, in place of the one before. Of the candidates, only better ones go on. */
export function goneLive(race: Race, transport: string, now: number, policy: RacePolicy): Race {
  const next: Race = { ...race, phase: live(transport, 0, now, policy), favourite: transport, liveAt: now }
  const better = (names: readonly string[]): string[] => names.filter((name) => isBetter(next, name, now))
  return { ...next, queue: better(race.queue), probing: better(race.probing) }
}

/** The live link ended. The caller closes the candidates that are still being tried. */
export function lost(race: Race, { livedMs, events, byeMs }: Loss, now: number, { retry, random }: RacePolicy): Race {
  const transport = liveOf(race) ?? ''
  // A stream that the server ended because its window was used up was useful, however short: the server says to come back at once.
  const isUseful = livedMs >= USEFUL_LIFE_MS || (byeMs === 0 && events > 0)
  // A planned close says nothing about the transport.
  const isShort = !isUseful && byeMs === undefined
  // A life without new events resets nothing: an endpoint that opens and dies would otherwise be retried at full speed for ever.
  const failures = isUseful || events > 0 ? 0 : race.failures + 1
  const next: Race = {
    ...restarted(race),
    favourite: isShort ? undefined : transport,
    failures,
    failed: [],
    liveAt: now,
    records: isUseful ? recordUsefulLife(race.records, transport) : isShort ? recordShortLife(race.records, transport, now) : race.records
  }
  const byePauseMs = random() * (byeMs ?? 0)
  if (isUseful) return byePauseMs > 0 ? wait(next, byePauseMs, 'bye', true, now) : next
  if (failures >= retry.attempts) return { ...next, phase: { kind: 'stopped', status: undefined } }
  return wait(next, Math.max(backoffMs(Math.max(0, failures - 1), retry, random), byePauseMs), 'unstable', byePauseMs > 0, now)
}

/**
 * The server or an intermediary asks for a pause of at least this long (`Retry-After`). All its clients were told the same, so the pause is
 * up to twice as long, by chance.
 */
export function paused(race: Race, atLeastMs: number, transport: string | undefined, now: number, { retry, random }: RacePolicy): Race {
  const next = { ...restarted(race, transport), failures: race.failures + 1 }
  return wait(next, atLeastMs + Math.max(backoffMs(race.failures, retry, random), random() * atLeastMs), 'busy', true, now)
}

/** A better transport than the live one was asked to stay away for this long. */
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

/** The network has changed, or the page is visible again: a pause ends now, unless the server asked for it. */
export function woken(race: Race, now: number): Race {
  const { phase } = race
  if (phase.kind === 'waiting' && !phase.byServer) return { ...race, phase: { ...phase, until: now } }
  return phase.kind === 'live' ? { ...race, phase: { ...phase, upgradeAt: now } } : race
}

/** Prolongs a pause to at least `ms` from now, unless the server asked for it. */
export function prolonged(race: Race, ms: number, now: number): Race {
  const { phase } = race
  return phase.kind === 'waiting' && !phase.byServer
    ? { ...race, phase: { ...phase, ms: Math.max(phase.ms, ms), until: Math.max(phase.until, now + ms) } }
    : race
}

const wait = (race: Race, ms: number, reason: WaitReason, byServer: boolean, now: number): Race => ({
  ...race,
  phase: { kind: 'waiting', until: now + ms, ms, reason, byServer }
})

/** Whether the same request may be answered differently later: a timeout, a limit, or a failing server (RFC 9110 §15.5.9, RFC 6585 §4, RFC 8470 §5.2). */
export const isTransient = (status: number): boolean => status >= 500 || status === 408 || status === 425 || status === 429

/** The lasting 4xx that every candidate with a vote gave; `undefined` where there is none. */
function unanimous(failures: readonly Failure[]): number | undefined {
  const votes = failures.filter(({ hidesStatus }) => !hidesStatus)
  const status = votes[0]?.status
  return status !== undefined && status >= 400 && !isTransient(status) && votes.every((vote) => vote.status === status) ? status : undefined
}
