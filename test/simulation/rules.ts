/** What holds while a schedule is played and when it is over, whatever it was. */

import { getEventListeners } from 'node:events'
import { clock } from './clock.ts'
import type { Follower } from './follower.ts'
import { page } from './page.ts'
import { appendProgress } from './perform.ts'
import type { Setup } from './schedule.ts'
import type { World } from './world.ts'

/** The simulation has found something wrong. */
export class Wrong extends Error {
  override readonly name = 'Wrong'
}

/** From when a reader holds too much to when its job's reading has to be let go. */
const LETTING_GO_MS = 5000

/** A job whose only reader holds as much as it may is not read any more. To be asked for again and again. */
export function createBacklogRule({ followers, sentTo, server, network }: World, { bufferSize }: Setup): () => void {
  /** Since when they hold too much. */
  const overfull = new Map<Follower, number>()
  return () => {
    for (const follower of followers) {
      const { job, client, isStuck, events, state } = follower
      const isAlone = followers.every((other) => other === follower || other.job !== job || other.client !== client)
      const last = events.at(-1)
      const sent = sentTo(client, job)
      const isSame = last && sent?.id.split('-')[0] === last.id.split('-')[0]
      if (!isStuck || !isAlone || state !== 'running' || !sent || !isSame || sent.seq - last.seq <= bufferSize) {
        overfull.delete(follower)
        continue
      }
      const since = overfull.get(follower) ?? clock.now
      overfull.set(follower, since)
      if (network.isHampered() || page.isAway) overfull.set(follower, clock.now)
      else if (clock.now - since > LETTING_GO_MS && server.isFollowed(client, job))
        throw new Wrong(`a reader of job ${job} holds ${bufferSize} events and takes none, and the job is read on for ${clock.now - since} ms`)
    }
  }
}

/** A client that nothing disturbs needs no more connections than its jobs do, and none where nobody follows. */
export async function checkQuiet({ network, followers, clients, server, leastMux }: World, seconds: number): Promise<void> {
  const least = clients.map(() => Number.POSITIVE_INFINITY)
  // Not at a rhythm that could be the client's own.
  for (let sample = 0; sample < seconds * 3; sample += 1) {
    if (sample % 3 === 0) for (const log of server.logs.values()) appendProgress(log)
    await clock.runUntil(clock.now + 290 + 17 * (sample % 5))
    for (const number of clients.keys()) {
      const open = [...network.open].filter(({ client, isDead }) => client === number && !isDead).length
      least[number] = Math.min(least[number] ?? open, open)
    }
  }
  for (const number of clients.keys()) {
    const jobs = new Set(followers.filter(({ client, state }) => client === number && state === 'running').map(({ job }) => job))
    const most = leastMux >= server.logs.size ? Math.min(1, jobs.size) : jobs.size
    const open = least[number] ?? 0
    if (open > most && open < Number.POSITIVE_INFINITY) {
      const what = [...network.open].filter(({ client }) => client === number).map(({ kind, openedAt }) => `${kind} since ${Math.round(openedAt)}`)
      throw new Wrong(`client ${number} follows ${jobs.size} jobs and holds ${open} connections at ${Math.round(clock.now)}: ${what.join(', ')}`)
    }
  }
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
export async function checkNothingLeft({ clients, network, followers, tooEarly }: World): Promise<void> {
  if (tooEarly.length > 0) throw new Wrong(tooEarly.join(', '))
  for (const client of clients) client?.close()
  await clock.runUntil(clock.now + 2)
  const open = [...network.open].map(({ kind, openedAt, request }) => `${kind} to ${request.url.pathname} since ${Math.round(openedAt)}`)
  if (open.length > 0) throw new Wrong(`left open: ${open.join(', ')}`)
  if (clock.timers > 0) throw new Wrong(`${clock.timers} timers are pending`)
  if (page.listeners.length > 0) throw new Wrong(`still listening: ${page.listeners.join(', ')}`)
  const listening = followers.filter(({ controller }) => getEventListeners(controller.signal, 'abort').length > 0)
  if (listening.length > 0) throw new Wrong(`${listening.length} signals of subscriptions are still listened to`)
}
