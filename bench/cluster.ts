/**
 * Thousands of followers of two nodes and a Redis behind HAProxy, which are killed and brought back: is anything lost or repeated, and does every job end?
 * `npm run cluster -- --followers 2000 --jobs 200 --seconds 60 --appendfsync always,everysec`. Exits with 1 where the answer is wrong.
 */

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
    /** Seconds for which Redis is away. */
    away: { type: 'string', default: '3' },
    appendfsync: { type: 'string', default: 'always,everysec' }
  }
})
const rate = Number(values.rate)
const shown = 20

for (const appendfsync of values.appendfsync.split(',')) {
  if (appendfsync !== 'always' && appendfsync !== 'everysec') throw new RangeError(`--appendfsync: expected always or everysec, got ${appendfsync}`)
  const [load = 0] = loadavg()
  console.log(`\nappendfsync ${appendfsync}; load before ${load.toFixed(1)}`)
  const outcome = await runCluster({
    followers: Number(values.followers),
    jobs: Number(values.jobs),
    events: Math.round(Number(values.seconds) * rate),
    everyMs: 1000 / rate,
    appendfsync,
    awayMs: Number(values.away) * 1000,
    pollMs: 2000,
    processes: 2,
    patienceMs: 120_000,
    say: (what) => console.log(`  ${new Date().toISOString().slice(11, 19)} ${what}`)
  })
  console.log(`\n${table(outcome)}\n`)
  for (const each of outcome.wrong.slice(0, shown)) console.log(each)
  if (outcome.wrong.length > shown) console.log(`… and ${outcome.wrong.length - shown} more`)
  console.log(`appendfsync ${appendfsync}: ${outcome.wrong.length === 0 ? 'passed' : 'failed'}`)
  if (outcome.wrong.length > 0) process.exitCode = 1
}
