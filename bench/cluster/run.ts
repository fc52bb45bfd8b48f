/** Two nodes behind HAProxy, their Redis, and followers. Each node in turn, then Redis, is killed and restarted. */

import { cpus } from 'node:os'
import { setTimeout as wait } from 'node:timers/promises'
import type { EventLog } from '../../src/server/log/types.ts'
import { redisLog } from '../../src/server/redis/index.ts'
import { haproxyConfiguration } from '../../test/server/deploy/haproxy.ts'
import { openProxy } from '../../test/server/deploy/open-proxy.ts'
import { freePort, startRedis } from '../../test/server/redis-server.ts'
import { openCrowd } from './crowd.ts'
import { createProgress, type Kill, killInTurn } from './kills.ts'
import { type NodeProcess, startNodeProcess } from './nodes.ts'
import { type Entry, type Followed, hashOf, type Verdict, verdictOf } from './verdict.ts'
import { createWriter, type Writer } from './writer.ts'

export interface ClusterOptions {
  followers: number
  jobs: number
  /** Events of each job between its first and its last; more if the kills take longer. */
  events: number
  everyMs: number
  appendfsync: 'always' | 'everysec'
  /** How long Redis is down. */
  awayMs: number
  pollMs: number
  /** The number of follower processes. */
  processes: number
  /** How long the followers may take to end after the last event. */
  patienceMs: number
  say?: (what: string) => void
}

export interface Outcome extends Verdict {
  followed: Followed[]
  kills: Kill[]
  /** The time from the first event to the last. */
  wroteMs: number
  /** The load of all cores during the run, other programs included. */
  busyRatio: number
}

export async function runCluster(options: ClusterOptions): Promise<Outcome> {
  await using stack = new AsyncDisposableStack()
  const { followers, jobs, appendfsync, pollMs, processes, patienceMs, say = () => {} } = options
  const durable = appendfsync === 'always'
  const redis = await startRedis(['--appendonly', 'yes', '--appendfsync', appendfsync])
  stack.defer(redis.remove)
  const ports = [await freePort(), await freePort()]
  const proxy = await openProxy('haproxy', (port) => haproxyConfiguration(port, ports))
  stack.defer(proxy.close)
  const start = (port: number): Promise<NodeProcess> => startNodeProcess({ port, redisUrl: redis.url, durable, pollMs })
  const nodes = await Promise.all(ports.map(start))
  stack.defer(async () => void (await Promise.all(nodes.map((node) => node.kill()))))

  const names = Array.from({ length: jobs }, (_, n) => `job-${n}`)
  const stopped = new AbortController()
  stack.defer(() => stopped.abort())
  const writers = names.map((name) => createWriter(name, () => nodes, stopped.signal))
  await Promise.all(writers.map((writer) => writer.write('queued', { at: Date.now() })))
  const crowd = await openCrowd(`${proxy.origin}/jobs`, names, followers, processes, stack)
  say(`${followers} followers have the first event of ${jobs} jobs`)

  const progress = createProgress()
  const begun = { at: performance.now(), idle: idleMs() }
  let isOver = false
  const killing = killInTurn(options, nodes, (index) => start(ports[index] as number), redis, progress, say) // as: one port per node
  const working = writers.map((writer, index) => work(writer, index / jobs, options, () => isOver, progress.count))
  const [kills] = await Promise.all([
    killing.finally(() => {
      isOver = true
    }),
    ...working
  ])
  const wroteMs = performance.now() - begun.at
  const busyRatio = 1 - (idleMs() - begun.idle) / (wroteMs * cpus().length)
  say(`written in ${Math.round(wroteMs / 1000)} s`)

  await Promise.race([Promise.all(crowd.map(({ over }) => over)), wait(patienceMs, undefined, { ref: false })])
  const followed = (await Promise.all(crowd.map(({ report }) => report()))).flat()
  const log = redisLog({ url: redis.url, assumeNoLoss: durable })
  stack.defer(log.close)
  const written = await Promise.all(
    writers.map(async ({ acknowledged }, index) => ({ job: names[index] ?? '', acknowledged, log: await entriesOf(log, names[index] ?? '') }))
  )
  return { ...verdictOf(written, followed, !durable), followed, kills, wroteMs, busyRatio }
}

/** Writes one job from its second event to its end. */
async function work(writer: Writer, phase: number, { events, everyMs }: ClusterOptions, isOver: () => boolean, count: () => void): Promise<void> {
  const begun = performance.now() + phase * everyMs
  for (let n = 1; n <= events || !isOver(); n += 1) {
    await wait(Math.max(0, begun + (n - 1) * everyMs - performance.now()))
    // With a ratio, since the client would add one, and received events are compared with written ones.
    await writer.write('progress', { ratio: n / events, current: n, total: events, at: Date.now() })
    count()
  }
  await writer.write('succeeded', { at: Date.now() })
}

async function entriesOf(log: EventLog, job: string): Promise<Entry[]> {
  const entries: Entry[] = []
  for (;;) {
    const page = await log.read(job, entries.at(-1)?.id, 1000)
    for (const { id, type, data } of page?.events ?? []) entries.push({ id, hash: hashOf(type, data) })
    if (!page?.more) return entries
  }
}

const idleMs = (): number => cpus().reduce((sum, { times }) => sum + times.idle, 0)
