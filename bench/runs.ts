/**
 * Two nodes behind HAProxy run jobs, while each node in turn, then Redis, is killed and restarted: does every job end, is none run by
 * two, is each output there once? `npm run cluster:run -- --followers 200 --jobs 40 --seconds 60`. Exits with 1 if not.
 */

import { parseArgs } from 'node:util'
import { runRuns } from './cluster/runs.ts'

const { values } = parseArgs({
  options: {
    followers: { type: 'string', default: '200' },
    jobs: { type: 'string', default: '40' },
    seconds: { type: 'string', default: '60' },
    lease: { type: 'string', default: '5' },
    /** How long Redis is down, in seconds. */
    away: { type: 'string', default: '20' }
  }
})
const { wrong, ...found } = await runRuns({
  followers: Number(values.followers),
  jobs: Number(values.jobs),
  events: Number(values.seconds) * 2,
  everyMs: 500,
  leaseMs: Number(values.lease) * 1000,
  awayMs: Number(values.away) * 1000,
  say: (what) => console.log(`  ${new Date().toISOString().slice(11, 19)} ${what}`)
})
console.log(JSON.stringify(found))
for (const each of wrong.slice(0, 20)) console.log(each)
console.log(wrong.length === 0 ? 'passed' : `failed: ${wrong.length}`)
process.exit(wrong.length === 0 ? 0 : 1)
