/** A job server behind a proxy that misbehaves on demand, for the tests of one binding. */

import { once } from 'node:events'
import http from 'node:http'
import type { AddressInfo } from 'node:net'
import { type Arrival, createProxy, type Faults } from '../../../demo/proxy.ts'
import { createJobServer, memoryLog } from '../../../src/server/index.ts'

/** What arrived: a WebSocket, an event stream, a read of events (JSON or NDJSON), a long poll, a snapshot, a start, or a cancel. */
export type ArrivalKind = 'websocket' | 'sse' | 'read' | 'long-poll' | 'snapshot' | 'start' | 'cancel'

export interface Counts {
  /** How many connections and requests for jobs are open now. */
  open: number
  /** How many have arrived so far, by kind. CORS preflights are not counted. */
  arrived: Record<ArrivalKind, number>
}

export interface ServedStage {
  /** The `{base}` of PROTOCOL.md, behind the proxy. */
  readonly url: string
  /** Appends an event to a job, and creates the job with its first one. */
  publish(job: string, type: string, data: unknown): Promise<void>
  /** Appends `progress` events at an even rate. Resolves with how many there were. */
  burst(job: string, perSecond: number, ms: number): Promise<number>
  /** Ends a job that was started over HTTP as `succeeded`. Such a job runs until then, or until it is cancelled. */
  finish(job: string, result: unknown): void
  counts(): Counts
  /** Cuts every open connection, once. */
  cut(): void
  /** Changes faults of the proxy. */
  set(faults: Partial<Faults>): void
  close(): Promise<void>
}

const TICK_MS = 10

const kindOf = ({ method, url, isUpgrade, accept = '' }: Arrival): ArrivalKind => {
  if (isUpgrade) return 'websocket'
  if (method === 'POST') return /\/cancel($|\?)/.test(url) ? 'cancel' : 'start'
  if (!/\/events($|\?)/.test(url)) return 'snapshot'
  if (accept.includes('text/event-stream')) return 'sse'
  return /[?&]wait=/.test(url) ? 'long-poll' : 'read'
}

export async function startStage(): Promise<ServedStage> {
  const ends = new Map<string, (result: unknown) => void>()
  const jobs = createJobServer({
    log: memoryLog({ name: crypto.randomUUID() }), // a name: stages share none
    origins: '*',
    authorize: () => true,
    onError: () => {}, // cut connections
    start: ({ id, signal }) =>
      new Promise((resolve, reject) => {
        ends.set(id, resolve)
        signal.addEventListener('abort', () => reject(signal.reason))
      })
  })
  const server = http.createServer()
  jobs.attach(server)
  await once(server.listen(0, '127.0.0.1'), 'listening')
  const { port } = server.address() as AddressInfo // as: it listens on TCP
  const arrived: Counts['arrived'] = { websocket: 0, sse: 0, read: 0, 'long-poll': 0, snapshot: 0, start: 0, cancel: 0 }
  const proxy = await createProxy({
    target: `http://127.0.0.1:${port}`,
    onArrival(arrival) {
      if (arrival.method !== 'OPTIONS') arrived[kindOf(arrival)] += 1
    }
  })
  const publish = async (job: string, type: string, data: unknown): Promise<void> => void (await jobs.publish(job, type, data))

  return {
    url: `${proxy.url}/jobs`,
    publish,
    async burst(job, perSecond, ms) {
      const total = Math.round((perSecond * ms) / 1000)
      const startedAt = performance.now()
      for (let made = 0; made < total; await new Promise((resolve) => setTimeout(resolve, TICK_MS))) {
        const due = Math.min(total, Math.round(((performance.now() - startedAt) / ms) * total))
        for (; made < due; made += 1) void publish(job, 'progress', { ratio: made / total })
      }
      return total
    },
    finish(job, result) {
      const end = ends.get(job)
      if (!end) throw new Error(`no job ${job} was started here; started: ${[...ends.keys()].join(', ') || 'none'}`)
      end(result)
    },
    counts() {
      const { websocket, stream, request } = proxy.connections
      return { open: websocket + stream + request, arrived: { ...arrived } }
    },
    cut: proxy.cut,
    set: proxy.set,
    async close() {
      await proxy.close()
      await jobs.close({ graceMs: 100 })
      server.closeAllConnections()
      await new Promise((resolve) => server.close(resolve))
    }
  }
}
