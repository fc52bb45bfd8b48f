/** Whatever the network, the server and the page do: nothing lost, nothing twice, nothing stuck, nothing left. In processes of their own, whose clock is virtual. */

import { execFile } from 'node:child_process'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { mistakes } from './mistakes.ts'

const RUN = join(import.meta.dirname, 'run.ts')
/** One process each. They are kept, so that a run that fails is the change's doing; `run.ts --seed` looks elsewhere. */
const SEEDS = [20_261_121, 7_345_902]
const RUNS = 5000
/** Schedules within which a mistake has to be found, by the checks that are for it. */
const MAX_RUNS = 1000

const run = (...args: string[]): Promise<{ code: unknown; output: string }> =>
  new Promise((resolve) => {
    execFile(process.execPath, [RUN, ...args], { maxBuffer: 2 ** 24 }, (error, stdout, stderr) => resolve({ code: error?.code ?? 0, output: stdout + stderr }))
  })

test(`${SEEDS.length * RUNS} random schedules`, { timeout: 1_800_000 }, async () => {
  const results = await Promise.all(SEEDS.map((seed) => run('--runs', `${RUNS}`, '--seed', `${seed}`, '--strict')))
  for (const { output } of results) console.log(output)
  for (const { code, output } of results) expect(code, output).toBe(0)
})

test.each(mistakes)('it finds out when $name', { timeout: 600_000 }, async ({ name }) => {
  const { output } = await run('--runs', `${MAX_RUNS}`, '--seed', `${SEEDS[0]}`, '--quick', '--mistake', name)
  const [, schedules] = /after (\d+) schedules/.exec(output) ?? []
  console.log(`${name}: after ${schedules ?? 'no'} schedules`)
  // A text that isn't found once, or a client that can't be loaded, is no discovery.
  expect(schedules, output).toBeDefined()
})
