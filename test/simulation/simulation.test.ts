/** Whatever the network, the server and the page do: no event is lost or repeated, nothing hangs or leaks. Runs in processes of its own, with virtual time. */

import { execFile } from 'node:child_process'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { mistakes } from './mistakes.ts'

const RUN = join(import.meta.dirname, 'run.ts')
/** One process each. The seeds are fixed, so that a failure comes from a change of the code. `run.ts --seed` tries others. */
const SEEDS = [20_261_121, 7_345_902]
/** For each seed. `npm run simulation` plays more. */
const RUNS = 2000
/** A mistake must be found within this many schedules, by the checks that are meant for it. */
const MAX_RUNS = 1000

const run = (...args: string[]): Promise<{ code: unknown; output: string }> =>
  new Promise((resolve) => {
    execFile(process.execPath, [RUN, ...args], { maxBuffer: 2 ** 24 }, (error, stdout, stderr) => resolve({ code: error?.code ?? 0, output: stdout + stderr }))
  })

test(`${SEEDS.length * RUNS} random schedules keep every promise`, { timeout: 1_800_000 }, async () => {
  const results = await Promise.all(SEEDS.map((seed) => run('--runs', `${RUNS}`, '--seed', `${seed}`, '--strict')))
  for (const { output } of results) console.log(output)
  for (const { code, output } of results) expect(code, output).toBe(0)
})

// Several at once: each runs in a process of its own, which keeps one processor busy.
test.concurrent.each(mistakes)('a deliberate mistake is found: $name', { timeout: 600_000 }, async ({ name, seed = SEEDS[0] }) => {
  const { output } = await run('--runs', `${MAX_RUNS}`, '--seed', `${seed}`, '--quick', '--mistake', name)
  const [, schedules] = /after (\d+) schedules/.exec(output) ?? []
  console.log(`${name}: after ${schedules ?? 'no'} schedules`)
  // If the text to replace isn't found once, or the client can't be loaded, nothing was found.
  expect(schedules, output).toBeDefined()
})
