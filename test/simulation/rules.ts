/** What holds while a schedule is played and when it is over, whatever it was. */

import { getEventListeners } from 'node:events'
import { clock } from './clock.ts'
import { type Connection, jobsOf } from './connection.ts'
import type { Follower } from './follower.ts'
import { page } from './page.ts'
import { appendProgress } from './perform.ts'
import type { Setup } from './schedule.ts'
import type { World } from './world.ts'
import { Wrong } from './wrong.ts'

const HOPELESS_MS = 25_000
/** The pauses are chance up to 250 ms, 500, 1000 … 30,000: 17 of them take less than that once in 50 million times. Where they begin with less, or grow no further, */
const MAX_HOPELESS = 17
/** there are as many more: 3 for a beginning at 50, 13 for pauses up to 5 s. */
const moreTries = ({ retryBaseMs, retryMaxMs }: Setup): number => (retryBaseMs < 250 ? 3 : 0) + (retryMaxMs < HOPELESS_MS ? 13 : 0)

/** From when a reader holds too much, or a job is read twice, to when a reading has to be let go: what is to replace it is tried for 5 s. */
const LETTING_GO_MS = 7000

/** A link is dead after two and a half heartbeats; a poll after one and what answers take here. */
const DEAD_BEATS = 2.5
const LATE_MS = 5000

/** To be asked again and again: what holds at any moment, but for a while. */
export function createWatch(world: World, { bufferSize }: Setup): () => void {
  const { followers, clients, sentTo, server, network } = world
  /** Since when something is so. */
  const since = new Map<string, number>()

  /** For how long it has been so, but for the times when nobody could do anything about it. */
  function lasting(what: string, isSo: boolean): number {
    if (!isSo) since.delete(what)
    else if (!since.has(what) || network.isHampered() || page.isAway || page.isHidden) since.set(what, clock.now)
    return clock.now - (since.get(what) ?? clock.now)
  }

  /** It can take no more. */
  function isOverfull({ job, client, isStuck, left, events, state }: Follower): boolean {
    const last = events.at(-1)
    const sent = sentTo(client, job)
    if (!isStuck || left || state !== 'running' || !last || !sent || sent.id.split('-')[0] !== last.id.split('-')[0]) return false
    return sent.seq - Math.max(last.seq, server.logs.get(job)?.epoch.dropped ?? 0) > bufferSize
  }

  return () => {
    for (const client of clients.keys()) {
      const usedUpMs = lasting(`used up ${client}`, server.isUsedUp(client))
      if (usedUpMs > LETTING_GO_MS) throw new Wrong('window', `client ${client} has let its server wait for ${usedUpMs} ms`)
    }
    for (const [index, follower] of followers.entries()) {
      const { job, client, subscription } = follower
      // What can't be replaced yet is read on.
      const isLive = subscription.state.connection.phase === 'live'
      // Who holds as much as it may is shown as live, and nothing is open for it.
      if (isLive && subscription.state.connection.transport !== 'read-once') follower.liveAt = clock.now
      const isAlone = followers.every((other) => other === follower || other.job !== job || other.client !== client)
      const readings = server.readingsOf(client, job)
      const fullMs = lasting(`full ${index}`, isLive && isAlone && readings > 0 && isOverfull(follower))
      if (fullMs > LETTING_GO_MS)
        throw new Wrong('backpressure', `a reader of job ${job} holds ${bufferSize} events and takes none, and the job is read on for ${fullMs} ms`)
      const twiceMs = lasting(`twice ${index}`, isLive && readings > 1)
      if (twiceMs > LETTING_GO_MS) throw new Wrong('takeover', `client ${client} reads job ${job} on ${readings} connections for ${twiceMs} ms`)
    }
  }
}

/** A first frame is waited for no longer, however often in a row that was in vain. */
const MAX_PATIENCE_MS = 60_000

/** A client that nothing disturbs needs no more connections than its jobs do, and none where nobody follows. */
export async function checkQuiet({ network, followers, clients, server, leastMux }: World, seconds: number): Promise<void> {
  const wellAt = clock.now
  /** What a proxy holds is waited for as long as anything is. */
  const isHeld = ({ isHeard, openedAt }: Connection): boolean => !isHeard && openedAt <= wellAt && clock.now - openedAt < MAX_PATIENCE_MS
  const least = clients.map(() => Number.POSITIVE_INFINITY)
  // Not at a rhythm that could be the client's own.
  for (let sample = 0; sample < seconds * 3; sample += 1) {
    if (sample % 3 === 0) for (const log of server.logs.values()) appendProgress(log)
    await clock.runUntil(clock.now + 290 + 17 * (sample % 5))
    for (const number of clients.keys()) {
      const open = [...network.open].filter((each) => each.client === number && !each.isDead && !isHeld(each)).length
      least[number] = Math.min(least[number] ?? open, open)
    }
  }
  for (const number of clients.keys()) {
    const jobs = new Set(followers.filter(({ client, state }) => client === number && state === 'running').map(({ job }) => job))
    const most = leastMux >= server.logs.size ? Math.min(1, jobs.size) : jobs.size
    const open = least[number] ?? 0
    if (open > most && open < Number.POSITIVE_INFINITY) {
      const what = [...network.open].filter(({ client }) => client === number).map(({ kind, openedAt }) => `${kind} since ${Math.round(openedAt)}`)
      throw new Wrong('connections', `client ${number} follows ${jobs.size} jobs and holds ${open} connections at ${Math.round(clock.now)}: ${what.join(', ')}`)
    }
  }
}

/** What dies while no job has news is given up all the same. */
export async function checkSilence({ network }: World, { heartbeatMs }: Setup): Promise<void> {
  // A snapshot is a request by itself, with a patience of its own.
  const dead = [...network.open].filter(({ request }) => request.url.pathname.endsWith('/events'))
  for (const connection of dead) connection.die()
  await clock.runUntil(clock.now + heartbeatMs * DEAD_BEATS + LATE_MS)
  // What has not answered yet is waited for as long as anything is.
  const isHeld = ({ kind, isOpen, isHeard, openedAt }: Connection): boolean =>
    isOpen && ((isHeard && kind !== 'json') || clock.now - openedAt > MAX_PATIENCE_MS + clock.sleptMs)
  const held = dead.filter(isHeld).map(({ kind, number }) => `${kind} #${number}`)
  if (held.length > 0) throw new Wrong('silence', `long dead and still held: ${held.join(', ')}`)
}

/** Streams open and die, and nothing else passes: ever longer pauses. Returns how often one of them was tried and brought nothing. */
export async function checkBackoff({ network, useful }: World, setup: Setup): Promise<number> {
  const until = clock.now + HOPELESS_MS
  const already = network.opened.length
  network.add({ fault: 'killed', target: 'streams', until, amount: setup.hopelessMs, hit() {} })
  for (const target of ['long-poll', 'json'] as const) network.add({ fault: 'refused', target, until, amount: 0, hit() {} })
  for (const connection of [...network.open]) connection.reset()
  await clock.runUntil(until)
  const tries = new Map<string, number>()
  let most = 0
  for (const { kind, client, request, number } of network.opened.slice(already)) {
    if (kind !== 'websocket' && kind !== 'sse') continue
    const what = `${client} ${kind} ${jobsOf(request)}`
    // An event is a reason to begin anew.
    const inVain = useful.has(number) ? 0 : (tries.get(what) ?? 0) + 1
    tries.set(what, inVain)
    most = Math.max(most, inVain)
  }
  if (most > MAX_HOPELESS + moreTries(setup)) throw new Wrong('backoff', `${most} tries within ${HOPELESS_MS} ms though each ended at once`)
  return most
}

export function describeHang(hung: readonly Follower[], { network, server }: World): string {
  const lines = hung.map(({ job, by, read, events, subscription }) => {
    const log = server.logs.get(job)
    const { connection, status } = subscription.state
    const head = log?.epoch.events.at(-1)?.id
    return `the ${by} of job ${job} (from ${read?.from ?? 'now'}) has had ${events.at(-1)?.id ?? 'nothing'} of ${head}, status ${status}, connection ${JSON.stringify(connection)}`
  })
  const open = [...network.open].map(
    ({ kind, client, isDead, openedAt }) => `${kind} of client ${client} since ${Math.round(openedAt)}${isDead ? ' (dead)' : ''}`
  )
  return `${lines.join('; ')}; open: ${open.join(', ') || 'nothing'}; ${clock.timers} timers, at ${Math.round(clock.now)} ms`
}

/** Once the clients are closed. */
export async function checkNothingLeft({ clients, network, followers, tooEarly, wrong: [wrong] }: World): Promise<void> {
  if (wrong) throw new Wrong(...wrong)
  if (tooEarly.length > 0) throw new Wrong('takeover', tooEarly.join(', '))
  for (const client of clients) client?.close()
  await clock.runUntil(clock.now + 2)
  const open = [...network.open].map(({ kind, openedAt, request }) => `${kind} to ${request.url.pathname} since ${Math.round(openedAt)}`)
  if (open.length > 0) throw new Wrong('leaks', `left open: ${open.join(', ')}`)
  if (clock.timers > 0) throw new Wrong('leaks', `${clock.timers} timers are pending`)
  if (page.listeners.length > 0) throw new Wrong('leaks', `still listening: ${page.listeners.join(', ')}`)
  const listening = followers.filter(({ controller }) => getEventListeners(controller.signal, 'abort').length > 0)
  if (listening.length > 0) throw new Wrong('leaks', `${listening.length} signals of subscriptions are still listened to`)
}
