/** A server with jobs that never end behind a proxy, which applies each kind of fault in turn. Counts what is open at both. */

import { once } from 'node:events'
import http from 'node:http'
import type { AddressInfo } from 'node:net'
import { createProxy, type Faults, type FaultyProxy } from '../../demo/proxy.ts'
import { createJobServer, memoryLog } from '../../src/server/index.ts'
import { type Cycle, phases, ways } from './cycle.ts'

const bad = (opening: Faults['http']): Partial<Faults> => ({ webSocket: opening, http: opening })
const failings: readonly Partial<Faults>[] = [
  bad('kill'),
  bad('refuse'),
  bad('unanswered'),
  bad('mute'),
  bad('reset'),
  { cutAfterMs: 150 },
  { deadAfterMs: 100 },
  { stalled: true },
  { bufferStreams: true },
  { requestLimitMs: 200 },
  { resetAfterMs: 150 },
  { idleLimitMs: 100 }
]
const sound: Partial<Faults> = {
  webSocket: 'pass',
  http: 'pass',
  cutAfterMs: 0,
  deadAfterMs: 0,
  stalled: false,
  bufferStreams: false,
  requestLimitMs: 0,
  resetAfterMs: 0,
  idleLimitMs: 0
}

const carriers = [['websocket'], ['sse'], ['long-poll'], ['short-poll'], ['websocket', 'sse', 'long-poll', 'short-poll']] as const
const JOBS = 4
/** Every few batches have no faults but cuts. So subscriptions become live, read, and pause, even on a busy machine. */
const SOUND_EACH = 3
/** A cut connection usually reconnects at once. Other faults make subscriptions wait. */
const LIMIT_MS = { sound: 10_000, soundToWait: 1500, faulty: 400 }
const CUT_AFTER_MS = 750
/** So many subscriptions at once, over different transports, left in different phases and ways. */
const BATCH = 25

export interface Stage {
  readonly proxy: FaultyProxy
  /** Runs cycles in batches, each batch with the next fault. Resolves with how many reached each phase. */
  run(cycles: number, perform: (batch: Cycle[]) => Promise<string[][]>): Promise<Map<string, number>>
  /** How many connections are open at the proxy and the server. */
  open(): Promise<number>
  close(): Promise<void>
}

export async function startStage(elsewhere?: http.RequestListener): Promise<Stage> {
  const jobs = createJobServer({ log: memoryLog({ maxEvents: 50 }), heartbeatMs: 1000, shortPollPauseMs: 50 })
  const server = http.createServer()
  jobs.attach(server)
  await once(server.listen(0, '127.0.0.1'), 'listening')
  const { port } = server.address() as AddressInfo // as: it listens on TCP
  const proxy = await createProxy({ target: `http://127.0.0.1:${port}`, ...(elsewhere && { elsewhere }) })
  for (let job = 0; job < JOBS; job += 1) await jobs.publish(`${job}`, 'started')
  const publishing = setInterval(() => {
    for (let job = 0; job < JOBS; job += 1) void jobs.publish(`${job}`, 'progress', { ratio: 0.5 })
  }, 20)
  let batches = 0
  let made = 0

  function nextCycle(isSound: boolean): Cycle {
    const index = made++
    const phase = phases[Math.floor(index / carriers.length) % phases.length] ?? 'live'
    return {
      url: `${proxy.url}/jobs`,
      job: `${index % JOBS}`,
      limitMs: LIMIT_MS[!isSound ? 'faulty' : phase === 'waiting' ? 'soundToWait' : 'sound'],
      transports: carriers[index % carriers.length] ?? carriers[0],
      phase,
      way: ways[Math.floor(index / (carriers.length * phases.length)) % ways.length] ?? 'close'
    }
  }

  return {
    proxy,
    async run(cycles, perform) {
      const counts = new Map<string, number>()
      for (let left = cycles; left > 0; left -= BATCH) {
        const isSound = batches % SOUND_EACH === 0
        proxy.set(isSound ? sound : { ...sound, ...failings[batches % failings.length] })
        batches += 1
        const running = perform(Array.from({ length: Math.min(BATCH, left) }, () => nextCycle(isSound)))
        const cut = isSound ? setTimeout(proxy.cut, CUT_AFTER_MS) : undefined
        for (const came of await running) for (const phase of came) counts.set(phase, (counts.get(phase) ?? 0) + 1)
        clearTimeout(cut)
      }
      proxy.set(sound)
      return counts
    },
    async open() {
      const atServer = await new Promise<number>((resolve, reject) => server.getConnections((error, count) => (error ? reject(error) : resolve(count))))
      const { websocket, stream, request } = proxy.connections
      return atServer + websocket + stream + request
    },
    async close() {
      clearInterval(publishing)
      await proxy.close()
      await jobs.close({ graceMs: 100 })
      server.closeAllConnections()
      await new Promise((resolve) => server.close(resolve))
    }
  }
}
