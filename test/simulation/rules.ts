/** The rules that every schedule must keep while it is played, and when it is over. */

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
/** Pauses are random, up to 250 ms, 500, 1000 … 30,000: 17 of them fit once in 50 million times. If they begin with less, or grow no further, */
const MAX_HOPELESS = 17
/** more of them fit: 3 for a beginning at 50 ms, 13 for a maximum of 5 s. */
const moreTries = ({ retryBaseMs, retryMaxMs }: Setup): number => (retryBaseMs < 250 ? 3 : 0) + (retryMaxMs < HOPELESS_MS ? 13 : 0)

/** How long a reading may go on after a reader is full, or a second one after a job is read twice: its replacement is tried for 5 s. */
const LETTING_GO_MS = 7000

/** A link is dead after two and a half heartbeats, a long poll after one heartbeat and the time that answers take here. */
const DEAD_BEATS = 2.5
const LATE_MS = 5000

/** Returns a check to call again and again. It tells conditions that may last a while from those that last too long. */
export function createWatch(world: World, { bufferSize }: Setup): () => void {
  const { followers, clients, sentTo, server, network } = world
  /** Since when each condition holds. */
  const since = new Map<string, number>()

  /** For how long a condition has held, not counting times in which the client could change nothing. */
  function lasting(what: string, isSo: boolean): number {
    if (!isSo) since.delete(what)
    else if (!since.has(what) || network.isHampered() || page.isAway || page.isHidden) since.set(what, clock.now)
    return clock.now - (since.get(what) ?? clock.now)
  }

  /** Whether the reader can take no more. */
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
      // A link that can't be replaced yet is read on.
      const isLive = subscription.state.connection.phase === 'live'
      // A full reader is reported as live, although no link is open for it.
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

/** The longest that a first frame is waited for, however many tries have failed. */
const MAX_PATIENCE_MS = 60_000

/** Without faults, a client has no more connections than its jobs need, and none without followers. */
export async function checkQuiet({ network, followers, clients, server, leastMux }: World, seconds: number): Promise<void> {
  const wellAt = clock.now
  /** A proxy that buffers a stream looks to the client like a stream that is late. */
  const isHeld = ({ isHeard, openedAt }: Connection): boolean => !isHeard && openedAt <= wellAt && clock.now - openedAt < MAX_PATIENCE_MS
  const least = clients.map(() => Number.POSITIVE_INFINITY)
  // An interval that no timer of the client has.
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

/** A connection that dies while no job has events is closed all the same. */
export async function checkSilence({ network }: World, { heartbeatMs }: Setup): Promise<void> {
  // A snapshot is a request by itself, with a timeout of its own.
  const dead = [...network.open].filter(({ request }) => request.url.pathname.endsWith('/events'))
  for (const connection of dead) connection.die()
  await clock.runUntil(clock.now + heartbeatMs * DEAD_BEATS + LATE_MS)
  // A connection without an answer so far is only closed after its timeout.
  const isHeld = ({ kind, isOpen, isHeard, openedAt }: Connection): boolean =>
    isOpen && ((isHeard && kind !== 'json') || clock.now - openedAt > MAX_PATIENCE_MS + clock.sleptMs)
  const held = dead.filter(isHeld).map(({ kind, number }) => `${kind} #${number}`)
  if (held.length > 0) throw new Wrong('silence', `long dead and still held: ${held.join(', ')}`)
}

/** Connections open and die, and deliver nothing: pauses must grow. Returns the most tries of one kind. */
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
    // After an event, the pauses begin with the shortest again.
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

/** After the clients are closed. */
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
