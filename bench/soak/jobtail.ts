/** Jobtail under the load: subscriptions that read one job after the other, leave, and resume. Each job that was read is held against the log. */

import { createHash } from 'node:crypto'
import { setTimeout as wait } from 'node:timers/promises'
import { type Client, createClient, type JobEvent, longPoll, shortPoll, sse, webSocket } from '../../src/index.ts'
import { createJobServer, memoryLog } from '../../src/server/index.ts'
import { between, CLIENTS, JOBS, pauseMs, progress } from './load.ts'
import { openStage } from './stage.ts'

/** How many events a job has. */
const JOB_EVENTS = { least: 50, most: 250 }
/** How long the readers may take to end after the last fault. */
const PATIENCE_MS = 90_000

/** What the readers found. `stuck`: how many of them had not ended. */
export interface Found {
  published: number
  read: number
  ended: number
  lost: number
  repeated: number
  wrong: number
  failed: number
  left: number
  stuck: number
}

console.warn = () => {} // each client warns once when no transport delivers
const found: Found = { published: 0, read: 0, ended: 0, lost: 0, repeated: 0, wrong: 0, failed: 0, left: 0, stuck: 0 }
const { server, url, subscriptions, isOver, end } = await openStage('jobtail', found)

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
jobs.attach(server)
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
      found.published += 1
    }
    await publish('started', {})
    current[lane] = job
    for (let left = between(JOB_EVENTS.least, JOB_EVENTS.most); left > 0 && !isOver(); left -= 1) {
      await wait(pauseMs())
      await publish('progress', progress(left))
    }
    await publish('succeeded', { job })
    sums.set(job, sum)
    for (const oldest of sums.keys()) if (sums.size > 20 * JOBS) sums.delete(oldest)
  }
}

const makers = [webSocket, sse, longPoll, shortPoll]
const clients = Array.from({ length: CLIENTS }, (_, index): Client => {
  const only = index % 2 === 1 ? makers[Math.floor(index / 2) % makers.length] : undefined
  return createClient({ url, memory: false, retry: { maxMs: 3000 }, probeTimeoutMs: 1500, ...(only && { transports: [only()] }) })
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

const lanes = Array.from({ length: JOBS }, (_, lane) => runLane(lane))
await wait(100)
found.stuck = subscriptions
const readers = Array.from({ length: subscriptions }, (_, reader) =>
  runReader(reader).finally(() => {
    found.stuck -= 1
  })
)
await Promise.all(lanes)
await Promise.race([Promise.all(readers), wait(PATIENCE_MS, undefined, { ref: false })])
for (const client of clients) client.close()
await jobs.close({ graceMs: 100 })
await end()
