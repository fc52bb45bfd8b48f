/**
 * Two hundred subscriptions under random faults for some minutes: is any event lost or repeated, and does memory stay flat?
 * A bare peer in a process of its own has the same load and faults at the same time: what its process grows by is Node's.
 * `npm run soak -- --minutes 10`. Exits with 1 if an event is wrong or memory grows.
 */

import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import type { BareFound } from './soak/bare.ts'
import { type Order, orderFaults } from './soak/faults.ts'
import type { Found } from './soak/jobtail.ts'
import type { Load } from './soak/load.ts'
import type { Report } from './soak/stage.ts'
import { growthOf, memoryFaults } from './soak/verdict.ts'

const { values } = parseArgs({ options: { minutes: { type: 'string', default: '10' }, subscriptions: { type: 'string', default: '200' } } })
// Less has too few samples after the warm-up.
if (!(Number(values.minutes) >= 3)) throw new RangeError(`--minutes: expected 3 or more, got ${values.minutes}`)
if (!(Number(values.subscriptions) >= 1)) throw new RangeError(`--subscriptions: expected 1 or more, got ${values.subscriptions}`)
const load: Load = { durationMs: Number(values.minutes) * 60_000, subscriptions: Number(values.subscriptions) }
/** By then the code is compiled, and the log has dropped its first jobs. */
const WARM_UP_MS = Math.min(180_000, load.durationMs / 3)
// glibc otherwise keeps whatever the busiest moment needed. Less than this would cost each read of a socket a system call. Other platforms take no notice.
const MALLOC = { MALLOC_ARENA_MAX: '1', MALLOC_MMAP_THRESHOLD_: '262144', MALLOC_TRIM_THRESHOLD_: '1048576' }

interface Contestant<Found> {
  child: ChildProcess
  /** Rejects if the process ends before it has reported. */
  report: Promise<Report<Found>>
}

function start<Found>(file: string): Contestant<Found> {
  const child = fork(join(import.meta.dirname, 'soak', file), [JSON.stringify(load)], { env: { ...process.env, ...MALLOC } })
  const report = Promise.race([
    once(child, 'message').then(([report]) => report as Report<Found>), // as: the only thing it says
    once(child, 'exit').then(([code, signal]) => Promise.reject(new Error(`${file} ended with ${signal ?? code} before it had reported`)))
  ])
  return { child, report }
}

const jobtail = start<Found>('jobtail.ts')
const bare = start<BareFound>('bare.ts')
const until = performance.now() + load.durationMs
const order = (order: Order): void => {
  for (const { child } of [jobtail, bare]) if (child.connected) child.send(order, () => {}) // if it fails, the exit follows
}
const [faults, ours, theirs] = await Promise.all([orderFaults(() => performance.now() > until, order), jobtail.report, bare.report])

const [growth, bareGrowth] = [growthOf(ours.samples, WARM_UP_MS), growthOf(theirs.samples, WARM_UP_MS)]
const { published, read, ended, lost, repeated, wrong, failed, left, stuck } = ours.found
console.log(`
${values.minutes} minutes, ${load.subscriptions} subscriptions, ${faults} faults
published ${published} events; read ${read} in ${ended} jobs to their end, left and resumed ${left} times
lost ${lost}, repeated ${repeated}, jobs that differ from the log ${wrong}, failed ${failed}, stuck ${stuck}
kB a minute after ${Math.round(WARM_UP_MS / 1000)} s: heap ${growth.heap.toFixed(0)}, process ${growth.process.toFixed(0)}
bare peer: heap ${bareGrowth.heap.toFixed(0)}, process ${bareGrowth.process.toFixed(0)}; published ${theirs.found.published} events, read ${theirs.found.read}
connections and requests: ${ours.arrivals}; of the bare peer ${theirs.arrivals}
timers late, 99th percentile: ${ours.lateMs.toFixed(0)} ms; of the bare peer ${theirs.lateMs.toFixed(0)} ms`)
const faultsFound = memoryFaults(growth, bareGrowth)
if (ended === 0 || lost + repeated + wrong + failed + stuck > 0) faultsFound.unshift('events are missing, repeated or wrong, or readers are stuck')
for (const fault of faultsFound) console.log(fault)
console.log(faultsFound.length === 0 ? 'soak: passed' : 'soak: failed')
process.exitCode = faultsFound.length === 0 ? 0 : 1
