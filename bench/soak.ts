/**
 * Two hundred subscriptions under random faults for some minutes: is any event lost or repeated, and does memory stay flat?
 * `npm run soak -- --minutes 10`. Exits with 1 if an event is wrong or memory grows.
 */

import { createHash } from 'node:crypto'
import { once } from 'node:events'
import http from 'node:http'
import type { AddressInfo } from 'node:net'
import { setTimeout as wait } from 'node:timers/promises'
import { parseArgs } from 'node:util'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { createProxy, type Faults } from '../demo/proxy.ts'
import { type Client, createClient, type JobEvent, longPoll, shortPoll, sse, webSocket } from '../src/index.ts'
import { createJobServer, memoryLog } from '../src/server/index.ts'

const { values } = parseArgs({ options: { minutes: { type: 'string', default: '10' }, subscriptions: { type: 'string', default: '200' } } })
const DURATION_MS = Number(values.minutes) * 60_000
const SUBSCRIPTIONS = Number(values.subscriptions)
const CLIENTS = 20
/** How many jobs run at any time. Each has several followers and is replaced at its end. */
const JOBS = 50
const EVENT_EACH_MS = 200
const JOB_EVENTS = { least: 50, most: 250 }
/** By then the code is compiled, and the log has dropped its first jobs. */
const WARM_UP_MS = Math.min(120_000, DURATION_MS / 4)
const SAMPLE_EACH_MS = 5000
const MAX_KB_PER_MINUTE = 256
/** How long the readers may take to end after the last fault. */
const PATIENCE_MS = 90_000

setFlagsFromString('--expose-gc')
const gc: () => void = runInNewContext('gc')
console.warn = () => {} // each client warns once when no transport delivers

const between = (least: number, most: number): number => least + Math.floor(Math.random() * (most - least + 1))
const pick = <T>(from: readonly T[]): T => from[between(0, from.length - 1)] as T // as: never empty

// ---- the server

/** The events of a job from its start on: their number, and one hash over all of them in order. */
interface Sum {
  count: number
  hash: string
}
const add = (sum: Sum, id: string, data: unknown): Sum => ({
  count: sum.count + 1,
  hash: createHash('md5').update(sum.hash).update(id).update(JSON.stringify(data)).digest('base64url')
})
const NOTHING: Sum = { count: 0, hash: '' }

// Longer than a client is ever disconnected, so that no job expires while it is read.
const jobs = createJobServer({ log: memoryLog({ ttlMs: 90_000 }), heartbeatMs: 2000, shortPollPauseMs: 500 })
const server = http.createServer()
jobs.attach(server)
await once(server.listen(0, '127.0.0.1'), 'listening')
const { port } = server.address() as AddressInfo // as: it listens on TCP
const proxy = await createProxy({ target: `http://127.0.0.1:${port}` })
const until = performance.now() + DURATION_MS
const isOver = (): boolean => performance.now() > until
let published = 0
/** The running job of each lane. */
const current: string[] = []
/** The sums of the ended jobs, as published. */
const sums = new Map<string, Sum>()

async function runLane(lane: number): Promise<void> {
  for (let turn = 1; !isOver(); turn += 1) {
    const job = `${lane}.${turn}`
    let sum = NOTHING
    const publish = async (type: string, data: unknown): Promise<void> => {
      const { id } = await jobs.publish(job, type, data)
      sum = add(sum, id, data)
      published += 1
    }
    await publish('started', {})
    current[lane] = job
    for (let left = between(JOB_EVENTS.least, JOB_EVENTS.most); left > 0 && !isOver(); left -= 1) {
      await wait(between(0, 2 * EVENT_EACH_MS))
      await publish('progress', { current: left, note: 'ö'.repeat(between(0, 200)) })
    }
    await publish('succeeded', { job })
    sums.set(job, sum)
    for (const oldest of sums.keys()) if (sums.size > 20 * JOBS) sums.delete(oldest)
  }
}

// ---- its clients

const found = { read: 0, ended: 0, lost: 0, repeated: 0, wrong: 0, failed: 0, left: 0 }
const makers = [webSocket, sse, longPoll, shortPoll]
const clients = Array.from({ length: CLIENTS }, (_, index): Client => {
  const only = index % 2 === 1 ? makers[Math.floor(index / 2) % makers.length] : undefined
  return createClient({ url: `${proxy.url}/jobs`, memory: false, retry: { maxMs: 3000 }, probeTimeoutMs: 1500, ...(only && { transports: [only()] }) })
})

/** Reads one job after the other. Sometimes it leaves the loop and resumes from its cursor. */
async function runReader(reader: number): Promise<void> {
  const client = clients[reader % CLIENTS] as Client // as: there are so many
  while (!isOver()) {
    const job = current[reader % JOBS] ?? ''
    let sum = NOTHING
    let last: JobEvent | undefined
    do {
      const leaveAfter = Math.random() < 0.3 ? between(1, 60) : Number.POSITIVE_INFINITY
      let had = 0
      try {
        for await (const event of client.subscribe(job, { after: last?.id })) {
          const expected: number = (last?.seq ?? 0) + 1
          if (event.seq > expected) found.lost += event.seq - expected
          if (event.seq < expected) found.repeated += 1
          last = event
          sum = add(sum, event.id, event.data)
          found.read += 1
          if (++had >= leaveAfter) break
        }
      } catch (error) {
        found.failed += 1
        console.error(`reader ${reader} of job ${job} after ${last?.seq}: ${error}`)
        break
      }
      if (last?.type !== 'succeeded') found.left += 1
    } while (last?.type !== 'succeeded')
    const whole = sums.get(job)
    if (last?.type !== 'succeeded') continue
    found.ended += 1
    if (whole?.count !== sum.count || whole.hash !== sum.hash) found.wrong += 1
    // The lane's next job may not have started yet.
    while (current[reader % JOBS] === job && !isOver()) await wait(50)
  }
}

// ---- the faults

const sound: Partial<Faults> = {
  webSocket: 'pass',
  http: 'pass',
  bufferStreams: false,
  requestLimitMs: 0,
  latencyMs: 0,
  stalled: false,
  deadAfterMs: 0,
  cutAfterMs: 0,
  resetAfterMs: 0,
  idleLimitMs: 0
}
const failings: readonly (() => Partial<Faults>)[] = [
  () => ({ webSocket: pick(['refuse', 'reset', 'unanswered', 'mute', 'kill']) }),
  () => ({ http: pick(['reset', 'unanswered', 'mute', 'kill']) }),
  () => ({ bufferStreams: true }),
  () => ({ requestLimitMs: 1000 }),
  () => ({ latencyMs: between(10, 300) }),
  () => ({ stalled: true }),
  () => ({ deadAfterMs: between(100, 2000) }),
  () => ({ cutAfterMs: between(100, 2000) }),
  () => ({ resetAfterMs: between(200, 3000) }),
  () => ({ idleLimitMs: between(100, 1000) })
]
let faults = 0

async function runFaults(): Promise<void> {
  while (!isOver()) {
    faults += 1
    const kind = between(0, failings.length + 1)
    if (kind === failings.length) proxy.cut()
    else if (kind > failings.length) proxy.awayFor(between(500, 3000))
    else proxy.set({ ...failings[kind]?.(), upTo: pick(['websocket', 'sse', 'long-poll', 'short-poll']) })
    await wait(between(500, 4000))
    proxy.set(sound)
    await wait(between(0, 2000))
  }
}

// ---- memory

interface Sample {
  atMs: number
  heapKb: number
  rssKb: number
}
const samples: Sample[] = []
const startedAt = performance.now()

async function runSamples(): Promise<void> {
  while (!isOver()) {
    await wait(SAMPLE_EACH_MS)
    gc()
    const { heapUsed, rss } = process.memoryUsage()
    samples.push({ atMs: performance.now() - startedAt, heapKb: heapUsed / 1024, rssKb: rss / 1024 })
    if (samples.length % 12 === 0)
      console.log(
        `${Math.round((performance.now() - startedAt) / 60_000)} min: heap ${Math.round(heapUsed / 2 ** 20)} MB, process ${Math.round(rss / 2 ** 20)} MB, ${found.read} events read, ${faults} faults`
      )
  }
}

/** The slope of the regression line, in kB per minute. */
function slope(of: (sample: Sample) => number): number {
  const after = samples.filter(({ atMs }) => atMs > WARM_UP_MS)
  const mean = (values: readonly number[]): number => values.reduce((sum, value) => sum + value, 0) / values.length
  const [x, y] = [mean(after.map(({ atMs }) => atMs / 60_000)), mean(after.map(of))]
  const above = after.reduce((sum, sample) => sum + (sample.atMs / 60_000 - x) * (of(sample) - y), 0)
  return above / after.reduce((sum, { atMs }) => sum + (atMs / 60_000 - x) ** 2, 0)
}

// ---- the run

const lanes = Array.from({ length: JOBS }, (_, lane) => runLane(lane))
await wait(100)
let reading = SUBSCRIPTIONS
const readers = Array.from({ length: SUBSCRIPTIONS }, (_, reader) => runReader(reader).finally(() => reading--))
await Promise.all([...lanes, runFaults(), runSamples()])
proxy.back()
proxy.set(sound)
await Promise.race([Promise.all(readers), wait(PATIENCE_MS, undefined, { ref: false })])

const stuck = reading
const heapSlope = slope(({ heapKb }) => heapKb)
console.log(`
${values.minutes} minutes, ${SUBSCRIPTIONS} subscriptions, ${faults} faults
published ${published} events; read ${found.read} in ${found.ended} jobs to their end, left and resumed ${found.left} times
lost ${found.lost}, repeated ${found.repeated}, jobs that differ from the log ${found.wrong}, failed ${found.failed}, stuck ${stuck}
heap ${heapSlope.toFixed(0)} kB a minute, process ${slope(({ rssKb }) => rssKb).toFixed(0)} kB a minute, after ${Math.round(WARM_UP_MS / 1000)} s`)
const isRight = found.ended > 0 && found.lost + found.repeated + found.wrong + found.failed + stuck === 0 && heapSlope <= MAX_KB_PER_MINUTE
console.log(isRight ? 'soak: passed' : 'soak: failed')
for (const client of clients) client.close()
await proxy.close()
await jobs.close({ graceMs: 100 })
server.closeAllConnections()
server.close()
process.exitCode = isRight ? 0 : 1
