/**
 * How many events a second a running job appends to a Redis at some distance: without awaiting, awaiting several at once, and one by one; and how
 * many scripts that costs. `npm run bench:run -- --events 20000 --ms 1`.
 */

import { availableParallelism, loadavg } from 'node:os'
import { parseArgs } from 'node:util'
import { createJobServer } from '../src/server/index.ts'
import { redisLog } from '../src/server/redis/index.ts'
import type { JobContext } from '../src/server/types.ts'
import { startRelay } from '../test/server/redis-relay.ts'
import { startRedis } from '../test/server/redis-server.ts'

const { values } = parseArgs({
  options: {
    events: { type: 'string', default: '20000' },
    /** The round trip to Redis, in ms. */
    ms: { type: 'string', default: '1' }
  }
})
const EVENTS = Number(values.events)
const MS = Number(values.ms)
const chunk = { text: 'x'.repeat(189) } // 200 bytes of JSON
const row = (...cells: (string | number)[]): void => console.log(`| ${cells.join(' | ')} |`)

const redis = await startRedis()
const relay = await startRelay(redis.port)
relay.delay(MS / 2)
const log = redisLog({ url: relay.url })
const jobs = createJobServer({ log })
await jobs.publish('first', 'queued') // connects, and loads the scripts
const scripts = async (): Promise<number> => Number(/cmdstat_evalsha:calls=(\d+)/.exec(String(await redis.command('INFO', 'commandstats')))?.[1])

async function measure(name: string, count: number, work: (job: JobContext, count: number) => Promise<unknown>): Promise<void> {
  const before = await scripts()
  const began = performance.now()
  await jobs.run(name, (job) => work(job, count))
  const ms = performance.now() - began
  row(name, count, Math.round((1000 * count) / ms), (((await scripts()) - before) / count).toFixed(3))
}

const [load = 0] = loadavg()
console.log(`${availableParallelism()} cores, load before ${load.toFixed(1)}; ${MS} ms to Redis and back (timers round up)\n`)
row('appends of 200 bytes by one run', 'events', 'a second', 'scripts each')
row('---', '---', '---', '---')
await measure('not awaited but for the last', EVENTS, async (job, count) => {
  for (let n = 1; n < count; n += 1) void job.output(chunk)
  await job.output(chunk)
})
await measure('64 awaited at once', EVENTS, (job, count) =>
  Promise.all(
    Array.from({ length: 64 }, async (_, index) => {
      for (let n = index; n < count; n += 64) await job.output(chunk)
    })
  )
)
await measure('each awaited', Math.min(EVENTS, 1000), async (job, count) => {
  for (let n = 0; n < count; n += 1) await job.output(chunk)
})
await jobs.close()
relay.close()
await redis.remove()
