/**
 * Subscribes and leaves a thousand times in the middle of faults, and measures what is left: `node --expose-gc test/leaks/main.ts --cycles 1000`.
 * It is a process of its own, so that heap, timers and sockets are only its own. Prints what it measured; exits with 1 where something has leaked.
 */

import { getEventListeners } from 'node:events'
import { setTimeout as wait } from 'node:timers/promises'
import { parseArgs } from 'node:util'
import * as jobtail from '../../src/index.ts'
import { cycle, type Shared } from './cycle.ts'
import { startStage } from './stage.ts'

const WARM_UP = 250
const { values } = parseArgs({ options: { cycles: { type: 'string', default: '1000' } } })
const CYCLES = Number(values.cycles)
const PARTS = 4
/** A subscription that is not released keeps 8,700 bytes. */
const MAX_BYTES_PER_CYCLE = 3000
const PATIENCE_MS = 20_000

console.warn = () => {} // each client warns once when no transport has delivered

const { gc } = globalThis
if (!gc) throw new Error('to be run with --expose-gc')

const lasting = new AbortController()
const shared = new Map<string, Shared>()
const failures: string[] = []
const expectAtMost = (what: string, got: number, most: number): void => {
  console.log(`leaks: ${what}: ${got}`)
  if (got > most) failures.push(`${what}: expected at most ${most}, got ${got}`)
}

/** Waits until the value is at most `most`, up to a time limit. Resolves with the value. */
async function settled(count: () => Promise<number> | number, most: number): Promise<number> {
  const until = performance.now() + PATIENCE_MS
  for (;;) {
    const now = await count()
    if (now <= most || performance.now() > until) return now
    await wait(100)
  }
}

const resources = (): number => process.getActiveResourcesInfo().filter((name) => !/^(Immediate|TTYWrap|PipeWrap)$/.test(name)).length

async function heap(): Promise<number> {
  let least = Number.POSITIVE_INFINITY
  for (let times = 0; times < 5; times += 1) {
    await wait(20) // finalizers run in separate tasks
    gc?.()
    least = Math.min(least, process.memoryUsage().heapUsed)
  }
  return least
}

const stage = await startStage()
const before = resources()
const run = (cycles: number): Promise<Map<string, number>> =>
  stage.run(cycles, (batch) => Promise.all(batch.map((each) => cycle(jobtail, each, lasting.signal, shared))))

await run(WARM_UP)
await settled(stage.open, 0)
await settled(resources, before)
const levels = [await heap()]
const came = new Map<string, number>()
const startedAt = performance.now()
for (let part = 0; part < PARTS; part += 1) {
  for (const [phase, count] of await run(CYCLES / PARTS)) came.set(phase, (came.get(phase) ?? 0) + count)
  await settled(resources, before)
  levels.push(await heap())
}
console.log(
  `leaks: ${CYCLES} cycles in ${((performance.now() - startedAt) / 1000).toFixed(1)} s came by ${[...came].map(([phase, count]) => `${phase} ${count}`).join(', ')}`
)
for (const phase of ['connecting', 'live', 'reading', 'waiting', 'paused']) if (!came.has(phase)) failures.push(`none came by "${phase}"`)
expectAtMost('connections open at proxy and server', await settled(stage.open, 0), 0)
expectAtMost(`timers, sockets and other handles beyond the ${before} at the start`, (await settled(resources, before)) - before, 0)
if (resources() > before) console.log(`leaks: what is open: ${process.getActiveResourcesInfo().join(', ')}`)
expectAtMost('listeners of a signal that lasts', getEventListeners(lasting.signal, 'abort').length, 0)
console.log(`leaks: heap after each ${CYCLES / PARTS}, in kB: ${levels.map((level) => Math.round(level / 1024)).join(', ')}`)
// The minimum of the second half: memory that is kept only for a moment is no leak.
const grown = Math.min(...levels.slice(-2)) - (levels[0] ?? 0)
expectAtMost('bytes of heap kept by each cycle', Math.round(grown / CYCLES), MAX_BYTES_PER_CYCLE)
await stage.close()
for (const failure of failures) console.error(failure)
process.exitCode = failures.length > 0 ? 1 : 0
