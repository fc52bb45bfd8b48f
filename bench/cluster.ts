/**
 * Thousands of followers of two nodes behind HAProxy. The nodes and their Redis are killed and restarted: is an event lost or repeated, does every job end?
 * `npm run cluster -- --followers 2000 --jobs 200 --seconds 60 --appendfsync always,everysec`. Exits with 1 if an event or an end is wrong.
 */

import { readFileSync } from 'node:fs'
import { loadavg } from 'node:os'
import { parseArgs } from 'node:util'
import { runCluster } from './cluster/run.ts'
import { table } from './cluster/table.ts'

const { values } = parseArgs({
  options: {
    followers: { type: 'string', default: '2000' },
    jobs: { type: 'string', default: '200' },
    seconds: { type: 'string', default: '60' },
    /** Events a second of each job. */
    rate: { type: 'string', default: '2' },
    /** How long Redis is down, in seconds. */
    away: { type: 'string', default: '3' },
    appendfsync: { type: 'string', default: 'always,everysec' }
  }
})
const rate = Number(values.rate)
const MAX_SHOWN = 20

/** The CPU time of this process and its ended children (utime to cstime of proc(5)), in seconds; NaN except on Linux. */
function processorSeconds(): number {
  if (process.platform !== 'linux') return Number.NaN
  const [, fields = ''] = readFileSync('/proc/self/stat', 'utf8').split(') ')
  const ticks = fields.split(' ').slice(11, 15).map(Number)
  return ticks.reduce((sum, each) => sum + each, 0) / 100
}

for (const appendfsync of values.appendfsync.split(',')) {
  if (appendfsync !== 'always' && appendfsync !== 'everysec') throw new RangeError(`--appendfsync: expected always or everysec, got ${appendfsync}`)
  const [load = 0] = loadavg()
  console.log(`\nappendfsync ${appendfsync}; load before ${load.toFixed(1)}`)
  const before = processorSeconds()
  const outcome = await runCluster({
    followers: Number(values.followers),
    jobs: Number(values.jobs),
    events: Math.round(Number(values.seconds) * rate),
    everyMs: 1000 / rate,
    appendfsync,
    awayMs: Number(values.away) * 1000,
    pollMs: 2000,
    processes: 2,
    patienceMs: 300_000,
    say: (what) => console.log(`  ${new Date().toISOString().slice(11, 19)} ${what}`)
  })
  console.log(`\n${table(outcome)}\nOf processor time all of it took ${Math.round(processorSeconds() - before)} s, with starting and connecting.\n`)
  for (const each of outcome.wrong.slice(0, MAX_SHOWN)) console.log(each)
  if (outcome.wrong.length > MAX_SHOWN) console.log(`… and ${outcome.wrong.length - MAX_SHOWN} more`)
  console.log(`appendfsync ${appendfsync}: ${outcome.wrong.length === 0 ? 'passed' : 'failed'}`)
  if (outcome.wrong.length > 0) process.exitCode = 1
}
