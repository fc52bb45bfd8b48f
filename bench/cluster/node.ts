/** A node of the cluster, in a process of its own: `node bench/cluster/node.ts <settings>`. Its parent is whatever gives work to nodes: it has it append. */

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
  /** Where a job stands. */
  | { do: 'look'; job: string }
  /** Runs it here, unless another node does; answered at once. */
  | { do: 'run'; job: string; events: number; everyMs: number }

export interface Place {
  epoch: string
  seq: number
}

const { port, redisUrl, durable, pollMs, leaseMs = 30_000 }: NodeSettings = JSON.parse(process.argv[2] ?? '')
const log = redisLog({ url: redisUrl, assumeNoLoss: durable })
const jobs = createJobServer({ log, shortPollPauseMs: pollMs, leaseMs, maxRunning: 10_000, onError: () => {} }) // Redis is away: the parent knows
let isReady = false

const server = http.createServer(async (req, res) => {
  if (req.url !== '/health') return void res.writeHead(404).end()
  const { status } = await jobs.health()
  res.writeHead(status === 'ok' ? 200 : 503).end(status)
  if (status !== 'ok' || isReady) return
  isReady = true
  process.send?.({ ready: true }) // the load balancer knows it
})
jobs.attach(server)
// Half of all followers come at once when the other node dies.
server.listen({ port, host: '127.0.0.1', backlog: 4096 })
await once(server, 'listening')

async function answer(question: Question): Promise<Place> {
  const { job } = question
  if (question.do === 'look') return (await log.snapshot(job)) ?? { epoch: '', seq: 0 }
  if (question.do === 'run') {
    jobs.run(job, (context) => work(context, question)).catch(() => {}) // its log says how it ended, and by whom
    return { epoch: '', seq: 0 }
  }
  const { type, data, expectSeq } = question
  const { id, seq } = await log.append(job, type, data, { expectSeq })
  return { epoch: id.slice(0, id.lastIndexOf('-')), seq }
}

/** Each event says which process it is of: two that run one job at once are seen. */
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
