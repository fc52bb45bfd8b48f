/**
 * What a log in a real Redis costs: memory; commands, bytes and CPU time of Redis for each append, read and wake-up; what a node with
 * many followers requests; appends a second for each `appendfsync`. `npm run bench:redis`. docs/scaling.md draws the conclusions.
 */

import { availableParallelism, loadavg } from 'node:os'
import { setTimeout as pause } from 'node:timers/promises'
import { createJobServer } from '../src/server/index.ts'
import { redisLog } from '../src/server/redis/index.ts'
import { type RedisServer, startRedis } from '../test/server/redis-server.ts'

const EVENTS = 10_000
const JOBS = 1000
const AT_ONCE = 64
const FOLLOWERS = 100
const HEARTBEAT_MS = 1000
const HEARTBEATS = 10
const SLOWLY = 200
const SIZES = [200, 1000]

type Log = ReturnType<typeof redisLog>

/** What Redis has done during a measurement. */
interface Span {
  ms: number
  cpuMs: number
  bytesIn: number
  bytesOut: number
  calls(command: string): number
}

/** Data whose JSON has this many bytes. */
const dataOf = (bytes: number): { text: string } => ({ text: 'x'.repeat(bytes - '{"text":""}'.length) })
const number = (value: number, digits = 0): string => value.toLocaleString('en', { maximumFractionDigits: digits })
const row = (...cells: string[]): void => console.log(`| ${cells.join(' | ')} |`)

const infoOf = async (redis: RedisServer): Promise<string> => String(await redis.command('INFO', 'everything'))
const fieldOf = (info: string, name: string): number => Number(new RegExp(`^${name}:(?:calls=)?([\\d.]+)`, 'm').exec(info)?.[1] ?? 0)
const cpuMsOf = (info: string): number => 1000 * (fieldOf(info, 'used_cpu_sys') + fieldOf(info, 'used_cpu_user'))

async function span(redis: RedisServer, work: () => Promise<unknown>): Promise<Span> {
  const cpuMs = cpuMsOf(await infoOf(redis))
  await redis.command('CONFIG', 'RESETSTAT')
  const began = performance.now()
  await work()
  const ms = performance.now() - began
  const info = await infoOf(redis)
  return {
    ms,
    cpuMs: cpuMsOf(info) - cpuMs,
    bytesIn: fieldOf(info, 'total_net_input_bytes'),
    bytesOut: fieldOf(info, 'total_net_output_bytes'),
    calls: (command) => fieldOf(info, `cmdstat_${command}`)
  }
}

async function times(count: number, work: (index: number) => Promise<unknown>, atOnce = AT_ONCE): Promise<void> {
  let next = 0
  const one = async (): Promise<void> => {
    while (next < count) await work(next++)
  }
  await Promise.all(Array.from({ length: atOnce }, one))
}

async function onRedis(options: readonly string[], work: (redis: RedisServer, log: Log) => Promise<void>): Promise<void> {
  const redis = await startRedis(options)
  const log = redisLog({ url: redis.url })
  try {
    await log.append('first', 'queued', {}) // connects and loads the scripts
    await work(redis, log)
  } finally {
    await log.close()
    await redis.remove()
  }
}

async function memory(bytes: number): Promise<void> {
  await onRedis([], async (redis, log) => {
    const used = async (): Promise<number> => fieldOf(await infoOf(redis), 'used_memory')
    await times(EVENTS, () => log.append('long', 'log', dataOf(bytes)))
    const long = Number(await redis.command('MEMORY', 'USAGE', 'jobtail:{long}:events', 'SAMPLES', '0'))
    const empty = await used()
    await times(JOBS, (index) => log.append(`job-${index}`, 'queued', {}))
    const queued = await used()
    await times(JOBS, (index) => log.append(`job-${index}`, 'progress', dataOf(bytes)))
    await times(JOBS, (index) => log.append(`job-${index}`, 'succeeded', {}))
    const over = await used()
    row(number(bytes), number(long / EVENTS), number((queued - empty) / JOBS), number((over - empty) / JOBS))
  })
}

async function costs(bytes: number): Promise<void> {
  await onRedis([], async (redis, log) => {
    const told = (name: string, count: number, { cpuMs, bytesIn, bytesOut, calls }: Span): void =>
      row(`${name}, ${number(bytes)} B`, number(calls('evalsha') / count, 2), number(bytesIn / count), number(bytesOut / count), number((1000 * cpuMs) / count))
    const ids: string[] = []
    const append = async (index: number): Promise<void> => {
      const { id } = await log.append(`job-${index % JOBS}`, 'progress', dataOf(bytes))
      ids[index % JOBS] = id
    }
    told('append', EVENTS, await span(redis, () => times(EVENTS, append)))
    const last = [...ids]
    await times(JOBS, append)
    const read = (after: readonly string[]) => (index: number) => log.read(`job-${index % JOBS}`, after[index % JOBS], 100)
    told('read of one event', EVENTS, await span(redis, () => times(EVENTS, read(last))))
    told('read of none', EVENTS, await span(redis, () => times(EVENTS, read(ids))))
    told('snapshot', EVENTS, await span(redis, () => times(EVENTS, (index) => log.snapshot(`job-${index % JOBS}`))))
  })
}

/** Measures the same appends while several nodes listen. */
async function wakeUps(nodes: number): Promise<void> {
  await onRedis([], async (redis, log) => {
    const listening = Array.from({ length: nodes }, () => redisLog({ url: redis.url }))
    let woken = 0
    const wake = (): void => {
      woken += 1
    }
    for (const each of listening) await each.watch('job', wake)
    const { bytesOut, cpuMs } = await span(redis, () => times(EVENTS, () => log.append('job', 'progress', dataOf(200))))
    row(String(nodes), number(woken / EVENTS, 2), number(bytesOut / EVENTS), number((1000 * cpuMs) / EVENTS))
    await Promise.all(listening.map((each) => each.close()))
  })
}

/** Measures followers of one job at one node: while events are appended, each after all have received the last one, and without events. */
async function followed(): Promise<void> {
  await onRedis([], async (redis, log) => {
    const jobs = createJobServer({ log, heartbeatMs: HEARTBEAT_MS, authorize: () => true })
    let missing = FOLLOWERS
    let bytes = 0
    let arrived = Promise.withResolvers<void>()
    function expectOne(): void {
      missing = FOLLOWERS
      arrived = Promise.withResolvers()
    }
    async function follow(index: number): Promise<void> {
      await pause((index * HEARTBEAT_MS) / FOLLOWERS) // spreads the followers' heartbeats, as followers come at different times
      const { body } = await jobs.fetch(new Request('http://localhost/jobs/job/events', { headers: { accept: 'text/event-stream' } }))
      const decoder = new TextDecoder()
      for await (const chunk of body ?? []) {
        bytes += chunk.length
        missing -= decoder.decode(chunk).match(/^id: /gm)?.length ?? 0
        if (missing === 0) arrived.resolve()
      }
    }
    async function append(): Promise<void> {
      const had = arrived.promise
      await log.append('job', 'progress', dataOf(200))
      await had
      expectOne()
    }
    await log.append('job', 'started', {})
    const followers = Array.from({ length: FOLLOWERS }, (_, index) => follow(index))
    await arrived.promise
    expectOne()
    bytes = 0
    const busy = await span(redis, () => times(SLOWLY, append, 1))
    const perEvent = bytes / SLOWLY / FOLLOWERS
    const idle = await span(redis, () => pause(HEARTBEATS * HEARTBEAT_MS))
    row(String(FOLLOWERS), number(perEvent), number(busy.calls('evalsha') / SLOWLY - 1, 2), number(idle.calls('evalsha') / HEARTBEATS, 2))
    await jobs.close()
    await Promise.all(followers)
  })
}

async function throughput(fsync: string, atOnce: number): Promise<void> {
  await onRedis(fsync === 'none' ? [] : ['--appendonly', 'yes', '--appendfsync', fsync], async (redis, log) => {
    const { ms, cpuMs } = await span(redis, () => times(EVENTS, (index) => log.append(`job-${index % JOBS}`, 'progress', dataOf(200)), atOnce))
    const onDisk = fieldOf(await infoOf(redis), 'aof_current_size')
    row(fsync, String(atOnce), number((1000 * EVENTS) / ms), number((1000 * cpuMs) / EVENTS), number(onDisk / EVENTS))
  })
}

const table = (title: string, ...columns: string[]): void => {
  console.log(`\n${title}\n`)
  row(...columns)
  row(...columns.map(() => '---'))
}

const load = (): string =>
  loadavg()
    .map((each) => number(each, 1))
    .join(', ')

await onRedis([], async (redis) => {
  const version = /^redis_version:(\S+)/m.exec(await infoOf(redis))?.[1]
  console.log(`Redis ${version}, ${availableParallelism()} cores, load before: ${load()}`)
})
table('Memory, bytes', "an event's data", 'each further event of a long job', 'a job of one event', 'an ended job of three')
for (const bytes of SIZES) await memory(bytes)
table('Each costs', '', 'scripts', 'bytes to Redis', 'bytes from Redis', "µs of Redis' processor")
for (const bytes of SIZES) await costs(bytes)
table('Each append, while nodes listen', 'nodes', 'wake-ups', 'bytes from Redis', "µs of Redis' processor")
for (const nodes of [0, 1, 4]) await wakeUps(nodes)
table('Followers of one job at one node', 'followers', 'bytes of an event to each', 'reads an event', 'reads a heartbeat, for all')
await followed()
table('Appends of 200 bytes by one process', 'appendfsync', 'at once', 'a second', "µs of Redis' processor each", 'bytes on disk each')
for (const fsync of ['none', 'everysec', 'always']) for (const atOnce of [1, AT_ONCE]) await throughput(fsync, atOnce)
console.log(`\nload after: ${load()}`)
