/**
 * `npm run matrix`: every fault of the proxy, for every path, in every engine. Prints the tables, and fails if an event was lost, repeated or out
 * of order, or a job did not reach its end. `-- --engines chromium,webkit --faults muted,refused --transports sse --parallel 2 --only middle`
 */

import { parseArgs } from 'node:util'
import { type Path, paths } from '../../demo/proxy/faults.ts'
import { type Engine, engineNames, installedEngines, startEngine } from '../engines.ts'
import { type Outcome, runCell } from './cell.ts'
import { type Early, letsJsonThrough, runEarly } from './early.ts'
import { isExact } from './measure.ts'
import { type Row, rows } from './rows.ts'
import { earlyTable, type Line, middleTable, summaryTable, totals } from './table.ts'

const { values } = parseArgs({
  options: {
    engines: { type: 'string', default: installedEngines().join() },
    /** Filters: parts of the faults' names. */
    faults: { type: 'string', default: '' },
    transports: { type: 'string', default: paths.join() },
    /** How many pages each engine has at once. */
    parallel: { type: 'string', default: '2' },
    /** `middle`: only faults in the middle of a job. `start`: only faults from its start. */
    only: { type: 'string' }
  }
})
const chosen = <T extends string>(list: string, all: readonly T[]): T[] => {
  const wanted = list.split(',')
  const unknown = wanted.filter((name) => !all.some((each) => each === name))
  if (unknown.length > 0) throw new Error(`unknown: ${unknown.join()}; there are ${all.join()}`)
  return all.filter((name) => wanted.includes(name))
}
const engines = chosen(values.engines, engineNames)
const chosenPaths = chosen(values.transports, paths)
const chosenRows = rows.filter(({ name }) => values.faults.split(',').some((part) => name.includes(part)))
const parallel = Number(values.parallel)

type Run<T> = (engine: Engine, row: Row, upTo: Path) => Promise<T>

/** How many visits the median time of the first event is of. */
const VISITS = 3

let failures = 0

/** Runs all tasks, this many at a time in each engine. */
async function runAll<T extends Outcome | Early>(running: readonly Engine[], pairs: readonly (readonly [Row, Path])[], run: Run<T>): Promise<Line<T>[]> {
  const results = new Map<string, T>()
  const key = (engine: Engine, row: Row, upTo: Path): string => [engine.name, row.name, upTo].join()
  const work = running.flatMap((engine) => {
    const queue = [...pairs]
    return Array.from({ length: parallel }, async () => {
      for (let next = queue.shift(); next; next = queue.shift()) {
        const [row, upTo] = next
        const name = `${engine.name}: ${row.name}, ${upTo}`
        try {
          const result = await run(engine, row, upTo)
          results.set(key(engine, row, upTo), result)
          if (!isExact(result)) {
            failures += 1
            console.error(`FAILED ${name}: ${JSON.stringify(result)}`)
          } else console.error(`ok ${name}`)
        } catch (error) {
          failures += 1
          console.error(`FAILED ${name}: ${error}`)
        }
      }
    })
  })
  await Promise.all(work)
  return pairs.map(([row, upTo]) => ({ fault: row.name, upTo, outcomes: running.map((engine) => results.get(key(engine, row, upTo))) }))
}

const running = await Promise.all(engines.map(startEngine))
try {
  const pairs = chosenRows.flatMap((row) => chosenPaths.map((upTo) => [row, upTo] as const))
  const title = running.map(({ name, version }) => `${name} ${version}`).join(' / ')
  if (values.only !== 'start') {
    const lines = await runAll(running, pairs, runCell)
    console.log(`\nA fault in the middle of a job: ${title}\n\n${totals(lines)}\n\n${summaryTable(lines)}\n\n${middleTable(lines)}`)
  }
  if (values.only !== 'middle') {
    const lines = await runAll(
      running,
      pairs.filter(([row, upTo]) => letsJsonThrough(row, upTo)),
      (...cell) => runEarly(...cell, VISITS)
    )
    console.log(`\nA fault from the start (the first event: medians of ${VISITS} visits): ${title}\n\n${earlyTable(lines)}`)
  }
} finally {
  for (const engine of running) await engine.close()
}
if (failures > 0) {
  console.error(`\n${failures} failed`)
  process.exitCode = 1
}
