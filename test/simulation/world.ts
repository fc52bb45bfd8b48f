/** A page with its clients, a path and a server, for one schedule. */

import { createClient } from '../../src/core.ts'
import { isControl, type WireEvent } from '../../src/protocol/frames.ts'
import { longPoll, shortPoll } from '../../src/transports/poll.ts'
import { sse } from '../../src/transports/sse.ts'
import { webSocket } from '../../src/transports/websocket.ts'
import type { Client, Memory } from '../../src/types.ts'
import { createFetch, createWebSocketClass } from './browser.ts'
import { clock } from './clock.ts'
import { type Connection, jobsOf } from './connection.ts'
import type { Fault, Kind, Step } from './faults.ts'
import type { Follower } from './follower.ts'
import { createNetwork, type Network } from './network.ts'
import { page } from './page.ts'
import { createRandom } from './random.ts'
import { JOBS, type Schedule, type TransportName } from './schedule.ts'
import { createServer, type Server } from './server.ts'
import type { Check } from './wrong.ts'

const MAKE = { websocket: webSocket, sse, 'long-poll': longPoll, 'short-poll': shortPoll } satisfies Record<TransportName, unknown>
export const GRACE_MS = 5000

/** A fault that took effect, and where. */
export type Hit = { fault: Fault; kind: Kind | undefined; step: Step | undefined }

export interface World {
  readonly network: Network
  readonly server: Server
  readonly followers: Follower[]
  readonly hits: Hit[]
  hit(fault: Fault, kind?: Kind, step?: Step): void
  client(number: number): Client
  readonly clients: readonly (Client | undefined)[]
  /** The last event of a job that was sent to a client. */
  sentTo(client: number, job: string): WireEvent | undefined
  readonly hasTokens: boolean
  isRevoked: boolean
  /** Switches to links that had not subscribed yet. */
  readonly tooEarly: readonly string[]
  /** What diagnostics have shown to be wrong. */
  readonly wrong: readonly [Check, string][]
  /** The numbers of the connections that have delivered an event. */
  readonly useful: ReadonlySet<number>
  /** How often one kind of request of a client was told the same end of a pause. */
  readonly postponed: ReadonlyMap<string, number>
  /** The HTTP statuses that a client got from intermediaries. */
  statusesFor(client: number): ReadonlySet<number>
  /** Until when a client was asked to pause. */
  silentUntil(client: number): number
  readonly attempts: number
  /** The lowest `mux` so far. */
  leastMux: number
  /** When the token was last renewed. */
  tokenAt: number
  /** When the last job was created. */
  createdAt: number
}

const ORIGIN = 'https://example.test'

/** Gets a line for each thing that happens, to look into a failure. */
export type Trace = (what: string) => void

export function createWorld({ seed, setup, steps }: Schedule, trace: Trace): World {
  const random = createRandom(seed)
  Math.random = random
  clock.reset()
  page.reset(setup.isForeign ? 'https://page.test' : ORIGIN)
  const hits: Hit[] = []
  const hit = (fault: Fault, kind?: Kind, step?: Step): void => void hits.push({ fault, kind, step })
  /** The connections that have sent `subscribed`. */
  const subscribed = new Set<Connection>()
  const useful = new Set<number>()
  const postponed = new Map<string, number>()
  const firstSent = new Map<string, number>()
  const lastSent = new Map<string, WireEvent>()

  const statuses = new Map<number, Set<number>>()
  const statusesFor = (client: number): Set<number> => statuses.get(client) ?? statuses.set(client, new Set()).get(client) ?? new Set()
  const silences = new Map<number, number>()
  /** By client, kind and jobs: the end of the pause, and the connections that told it. */
  const told = new Map<string, { until: number; by: Connection[] }>()
  function onPostponed(connection: Connection, until: number): void {
    const { client, kind, request } = connection
    silences.set(client, Math.max(silences.get(client) ?? 0, until))
    const key = `${client} ${kind} ${jobsOf(request)}`
    const before = told.get(key)
    // A connection that the client has not heard counts for nothing.
    const by = before && clock.now < before.until ? [...before.by.filter(({ isHeard }) => isHeard), connection] : [connection]
    told.set(key, { until: Math.max(until, before?.until ?? 0), by })
    postponed.set(key, Math.max(by.length, postponed.get(key) ?? 0))
  }
  /** By client and transport: how many byes were sent, less the links that were lost by one. */
  const byes = new Map<string, number>()

  const server = createServer({
    ...setup,
    pollMs: 2000,
    onPostponed,
    onWindow: ({ kind }) => hit('window', kind),
    onBye: ({ client, kind }) => void byes.set(`${client} ${kind}`, (byes.get(`${client} ${kind}`) ?? 0) + 1),
    onSent(connection, frame) {
      if (isControl(frame) && frame.control === 'subscribed') subscribed.add(connection)
      if (isControl(frame) || !connection.isOpen || connection.isDead) return
      useful.add(connection.number)
      const key = `${connection.client} ${frame.job} ${frame.id}`
      const first = firstSent.get(key) ?? connection.number
      firstSent.set(key, first)
      lastSent.set(`${connection.client} ${frame.job}`, frame)
      if (first !== connection.number) hit('delivered-twice', connection.kind)
    }
  })
  const network = createNetwork({
    ...setup,
    random,
    trace,
    accept: server.accept,
    onOvertaken: (kind) => hit('overtaken', kind),
    hasStarts: steps.some((step) => step.do === 'read' && step.from.includes('cursor')),
    onInstead(connection, status, retryAfterMs) {
      statusesFor(connection.client).add(status)
      if (retryAfterMs) onPostponed(connection, clock.now + retryAfterMs - 1000)
    }
  })

  const kept = new Map<string, unknown>()
  const memory: Memory = {
    read: (key) => new Promise((resolve) => clock.after(5, () => resolve(kept.get(key)))),
    write: async (key, value) => void kept.set(key, value)
  }

  const tooEarly: string[] = []
  const wrong: [Check, string][] = []
  const clients: (Client | undefined)[] = []
  const makeClient = (number: number): Client => {
    /** When a window was used up and no other link was open yet. */
    let usedUpAt: number | undefined
    return createClient({
      url: `${ORIGIN}/jobs`,
      transports: setup.transports.map((name) => MAKE[name]()),
      ...(setup.hasTokens && { token: () => server.token }),
      fetch: createFetch(network, number),
      WebSocket: createWebSocketClass(network, number),
      bufferSize: setup.bufferSize,
      bufferBytes: setup.bufferBytes,
      probeTimeoutMs: setup.probeTimeoutMs,
      staggerMs: setup.staggerMs,
      retry: { baseMs: setup.retryBaseMs, maxMs: setup.retryMaxMs, attempts: setup.attempts },
      firstLook: setup.firstLook,
      memory: setup.remembers && memory,
      unknownJobGraceMs: GRACE_MS,
      onDiagnostic({ at: _, attempt, type, transport = '', ...rest }) {
        trace(`client ${number}, attempt ${attempt}: ${type} ${transport} ${JSON.stringify(rest)}`)
        if (type === 'paused') hit('slow-reader')
        if (type === 'lost' && (transport === 'sse' || transport === 'websocket')) {
          const { reason } = rest as { reason: string } // as: that of a loss
          if (reason === 'protocol') wrong.push(['protocol', `${transport} was lost to what a server may do`])
          const key = `${number} ${transport}`
          const said = byes.get(key) ?? 0
          if (reason === 'bye' && said > 0) byes.set(key, said - 1)
          else if (reason === 'bye' && (rest as { events: number }).events > 0) usedUpAt = clock.now // as: that of a loss
        }
        if (type === 'waiting' && usedUpAt === clock.now) wrong.push(['window', 'a pause after a window'])
        const isRead = [...subscribed].some(({ client, kind }) => client === number && kind === transport)
        if (type === 'switched' && !transport.endsWith('poll') && !isRead) tooEarly.push(`${transport} took over before it was subscribed`)
      }
    })
  }

  for (const job of JOBS.slice(0, setup.lateMs ? -1 : undefined)) server.create(job).append('queued')
  return {
    network,
    server,
    followers: [],
    hits,
    hit,
    client: (number) => (clients[number] ??= makeClient(number)),
    clients,
    sentTo: (client, job) => lastSent.get(`${client} ${job}`),
    hasTokens: setup.hasTokens,
    isRevoked: false,
    tooEarly,
    wrong,
    statusesFor,
    silentUntil: (client) => silences.get(client) ?? 0,
    attempts: setup.attempts,
    useful,
    postponed,
    leastMux: setup.mux,
    tokenAt: Number.NEGATIVE_INFINITY,
    createdAt: 0
  }
}
