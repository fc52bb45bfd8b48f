/** Two nodes behind HAProxy that run jobs, their Redis, and followers. Each node in turn, then Redis, is killed and restarted. */

import { setTimeout as wait } from 'node:timers/promises'
import type { WireEvent } from '../../src/protocol/frames.ts'
import { redisLog } from '../../src/server/redis/index.ts'
import { haproxyConfiguration } from '../../test/server/deploy/haproxy.ts'
import { openProxy } from '../../test/server/deploy/open-proxy.ts'
import { freePort, startRedis } from '../../test/server/redis-server.ts'
import { openCrowd } from './crowd.ts'
import { type NodeProcess, startNodeProcess } from './nodes.ts'
import { type Followed, hashOf, verdictOf } from './verdict.ts'

export interface RunsOptions {
  followers: number
  jobs: number
  /** Events of each job. */
  events: number
  everyMs: number
  leaseMs: number
  awayMs: number
  say(what: string): void
}

export interface RunsOutcome {
  succeeded: number
  lost: number
  /** The time from the kill of a node to the end of its last job. */
  lostAfterMs: number
  wrong: string[]
}

export async function runRuns(options: RunsOptions): Promise<RunsOutcome> {
  await using stack = new AsyncDisposableStack()
  const { followers, jobs, leaseMs, awayMs, say } = options
  const redis = await startRedis(['--appendonly', 'yes', '--appendfsync', 'always'])
  stack.defer(redis.remove)
  const ports = [await freePort(), await freePort()]
  const proxy = await openProxy('haproxy', (port) => haproxyConfiguration(port, ports))
  stack.defer(proxy.close)
  const start = (port: number): Promise<NodeProcess> => startNodeProcess({ port, redisUrl: redis.url, durable: true, pollMs: 2000, leaseMs })
  const nodes = await Promise.all(ports.map(start))
  stack.defer(async () => void (await Promise.all(nodes.map((node) => node.kill()))))
  const log = redisLog({ url: redis.url, assumeNoLoss: true, maxEvents: 100_000 })
  stack.defer(log.close)

  const names = Array.from({ length: jobs }, (_, n) => `job-${n}`)
  // Each node is asked to run each job, again and again. The first one gets the lease.
  const askAll = () =>
    Promise.all(names.flatMap((job, n) => [...nodes].map((_, m) => nodes[(n + m) % nodes.length]?.ask({ do: 'run', job, ...options }).catch(() => {}))))
  await askAll()
  const crowd = await openCrowd(`${proxy.origin}/jobs`, names, followers, 2, stack)
  say(`${followers} followers have the first event of ${jobs} jobs`)

  const kills: number[] = []
  for (const [index, port] of ports.entries()) {
    say(`node ${index + 1} is killed`)
    kills.push(Date.now())
    await nodes[index]?.kill()
    await askAll() // the other node must not take jobs whose lease is not over yet
    nodes[index] = await start(port)
    await askAll()
    await wait(leaseMs + 5000) // the killed node's jobs have been ended by then
  }
  // New jobs replace them, so that jobs are running while Redis is down.
  const more = Array.from({ length: jobs }, (_, n) => `more-${n}`)
  await Promise.all(more.flatMap((job) => nodes.map((node) => node.ask({ do: 'run', job, ...options }))))
  await wait(3000)
  say('Redis is killed')
  await redis.kill()
  await wait(awayMs)
  await redis.start()
  say('Redis is back')
  const patience = options.events * (options.everyMs + 100) + 120_000
  await Promise.race([Promise.all(crowd.map(({ over }) => over)), wait(patience, undefined, { ref: false })])
  const followed = (await Promise.all(crowd.map(({ report }) => report()))).flat()
  return await judge(options, [...names, ...more], followed, kills, async (job) => {
    for (const until = Date.now() + patience; Date.now() < until; await wait(500)) if ((await log.read(job, undefined, 100_000))?.done) break
    return (await log.read(job, undefined, 100_000))?.events ?? []
  })
}

async function judge(
  { events: expected, leaseMs }: RunsOptions,
  names: readonly string[],
  followed: readonly Followed[],
  kills: readonly number[],
  eventsOf: (job: string) => Promise<WireEvent[]>
): Promise<RunsOutcome> {
  const outcome: RunsOutcome = { succeeded: 0, lost: 0, lostAfterMs: 0, wrong: [] }
  const logs = []
  for (const job of names) {
    const events = await eventsOf(job)
    logs.push({ job, log: events.map(({ id, type, data }) => ({ id, hash: hashOf(type, data) })) })
    const last = events.at(-1)
    const outputs = events.filter(({ type }) => type === 'output').map(({ data }) => data as { n: number; by: number }) // as: the nodes write only such outputs
    const isWhole = outputs.every(({ n }, index) => n === index + 1)
    const isOne = new Set(outputs.map(({ by }) => by)).size <= 1 && events.filter(({ type }) => type === 'started').length === 1
    const isLost = last?.type === 'failed' && Object(last.data).code === 'lost'
    if (!isWhole) outcome.wrong.push(`${job}: outputs are missing or doubled`)
    if (!isOne) outcome.wrong.push(`${job}: two have run it`)
    if (last?.type === 'succeeded' && outputs.length === expected) outcome.succeeded += 1
    else if (isLost && !job.startsWith('more')) {
      outcome.lost += 1
      const at = Date.parse(last.time)
      outcome.lostAfterMs = Math.max(outcome.lostAfterMs, at - Math.max(...kills.filter((kill) => kill <= at)))
    } else outcome.wrong.push(`${job}: ended with ${JSON.stringify(last)} after ${outputs.length} outputs`)
  }
  if (outcome.lostAfterMs > leaseMs + 5000) outcome.wrong.push(`lost after ${outcome.lostAfterMs} ms`)
  const written = logs
    .filter(({ job }) => !job.startsWith('more'))
    .map(({ job, log }) => ({ job, log, acknowledged: new Map(log.map(({ id, hash }) => [id, hash])) }))
  outcome.wrong.push(...verdictOf(written, followed, false).wrong)
  return outcome
}
