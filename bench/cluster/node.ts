/** A node of the cluster, in its own process: `node bench/cluster/node.ts <settings>`. Its parent gives it events to append and jobs to run. */

import { once } from 'node:events'
import http from 'node:http'
import { setTimeout as wait } from 'node:timers/promises'
import { createJobServer } from '../../src/server/index.ts'
import { redisLog } from '../../src/server/redis/index.ts'
import type { JobContext } from '../../src/server/types.ts'

export interface NodeSettings {
  port: number
  redisUrl: string
  durable: boolean
  pollMs: number
  leaseMs?: number
}

export type Question =
  | { do: 'append'; job: string; type: string; data: unknown; expectSeq: number }
  /** Answers with the job's position. */
  | { do: 'look'; job: string }
  /** Runs the job here, unless another node does. Answered at once. */
  | { do: 'run'; job: string; events: number; everyMs: number }

export interface Place {
  epoch: string
  seq: number
}

const { port, redisUrl, durable, pollMs, leaseMs = 30_000 }: NodeSettings = JSON.parse(process.argv[2] ?? '')
const log = redisLog({ url: redisUrl, assumeNoLoss: durable })
const jobs = createJobServer({ log, shortPollPauseMs: pollMs, leaseMs, maxRunning: 10_000, onError: () => {} }) // errors while Redis is down are expected
let isReady = false

const server = http.createServer(async (req, res) => {
  if (req.url !== '/health') return void res.writeHead(404).end()
  const { status } = await jobs.health()
  res.writeHead(status === 'ok' ? 200 : 503).end(status)
  if (status !== 'ok' || isReady) return
  isReady = true
  process.send?.({ ready: true }) // the load balancer has seen a healthy answer
})
jobs.attach(server)
// Half of all followers connect at once when the other node dies.
server.listen({ port, host: '127.0.0.1', backlog: 4096 })
await once(server, 'listening')

async function answer(question: Question): Promise<Place> {
  const { job } = question
  if (question.do === 'look') return (await log.snapshot(job)) ?? { epoch: '', seq: 0 }
  if (question.do === 'run') {
    jobs.run(job, (context) => work(context, question)).catch(() => {}) // the job's log says how it ended, and on which node
    return { epoch: '', seq: 0 }
  }
  const { type, data, expectSeq } = question
  const { id, seq } = await log.append(job, type, data, { expectSeq })
  return { epoch: id.slice(0, id.lastIndexOf('-')), seq }
}

/** Each event names its process, which reveals two that run one job at once. */
async function work(context: JobContext, { events, everyMs }: { events: number; everyMs: number }): Promise<object> {
  for (let n = 1; n <= events; n += 1) {
    await context.progress({ ratio: n / events })
    await context.output({ n, by: process.pid, at: Date.now() })
    await wait(everyMs, undefined, { signal: context.signal })
  }
  return { by: process.pid, at: Date.now() }
}

process.on('message', async ({ id, question }: { id: number; question: Question }) => {
  try {
    process.send?.({ id, place: await answer(question) })
  } catch (error) {
    process.send?.({ id, error: String(error) })
  }
})
process.on('disconnect', () => process.exit())
