/**
 * Plays random schedules: `node test/simulation/run.ts --runs 10000 [--seed N] [--path P]`.
 * `--quick` doesn't shrink a failure. `--go-on` lists each failure by its path and goes on. `--trace` prints everything that happens.
 * `--mistake NAME` makes the client make that mistake, and only the checks that must find it count.
 * `--strict` also fails where a kind of fault took effect in less than one of twenty schedules, or where the median schedule had less than three faults.
 */

import { parseArgs } from 'node:util'
import { install } from './clock.ts'
import { make } from './mistakes.ts'
import { page } from './page.ts'
import type { Schedule } from './schedule.ts'
import { Wrong } from './wrong.ts'

install()
page.install()

const { values } = parseArgs({
  options: {
    runs: { type: 'string', default: '1000' },
    seed: { type: 'string' },
    path: { type: 'string' },
    quick: { type: 'boolean', default: false },
    'go-on': { type: 'boolean', default: false },
    trace: { type: 'boolean', default: false },
    strict: { type: 'boolean', default: false },
    mistake: { type: 'string' }
  }
})
const mistake = values.mistake === undefined ? undefined : make(values.mistake)
const [{ default: fc }, { play, silence }, { describeSchedule, schedules }, { createTally }] = await Promise.all([
  import('fast-check'),
  import('./play.ts'),
  import('./schedule.ts'),
  import('./tally.ts')
])

if (mistake && !mistake.isMade()) throw new Error(`"${mistake.name}": nobody has asked for ${mistake.file}`)

const log = console.log
silence()
const tally = createTally()
const seed = values.seed === undefined ? Number(process.hrtime.bigint() % 2n ** 31n) : Number(values.seed)
const startedAt = process.hrtime.bigint()
/** What was found by other checks than those of the mistake. */
const others = new Map<string, number>()
let played = 0
async function playOne(schedule: Schedule): Promise<void> {
  const path = played++
  try {
    tally.add(await play(schedule, values.trace ? log : undefined))
  } catch (error) {
    if (values['go-on']) {
      log(`path ${path}: ${error instanceof Error ? error.message : error}`)
      process.exitCode = 1
      return
    }
    if (!mistake || (error instanceof Wrong && mistake.foundBy.includes(error.check))) throw error
    const what = error instanceof Wrong ? error.check : String(error)
    others.set(what, (others.get(what) ?? 0) + 1)
  }
}
const outcome = await fc.check(fc.asyncProperty(schedules, playOne), {
  numRuns: Number(values.runs),
  seed,
  endOnFailure: values.quick,
  ...(values.path && { path: values.path })
})
if (others.size > 0) log(`found by other checks: ${[...others].map(([what, times]) => `${what} ${times}`).join(', ')}`)
const seconds = Number(process.hrtime.bigint() - startedAt) / 1e9

if (outcome.failed) {
  const [schedule] = outcome.counterexample ?? []
  log(`seed ${outcome.seed}, path ${outcome.counterexamplePath}, after ${outcome.numRuns} schedules and ${outcome.numShrinks} shrinks:`)
  if (schedule) log(describeSchedule(schedule))
  log(outcome.errorInstance instanceof Error ? (outcome.errorInstance.stack ?? outcome.errorInstance.message) : outcome.errorInstance)
  process.exitCode = 1
} else {
  log(tally.table())
  const shortcomings = values.strict ? tally.shortcomings() : []
  for (const each of shortcomings) log(each)
  if (shortcomings.length > 0) process.exitCode = 1
  log(`seed ${outcome.seed}: ${outcome.numRuns} schedules in ${seconds.toFixed(1)} s`)
}
process.exit()
