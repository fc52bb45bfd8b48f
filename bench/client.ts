/**
 * What the client costs in a page, beside bare streams and other clients, in one run of Chromium without a driver:
 * `npm run bench:client -- --runs 5 --only replay,cost --contestants jobtail,bare --markdown`. `--bundle` takes another build's script-tag file.
 */

import { parseArgs } from 'node:util'
import { rows } from './client/rows.ts'
import { type RowResult, startStage } from './client/run.ts'
import { sizes } from './client/sizes.ts'
import { figures, limits, markdown, plain, type Table } from './client/tables.ts'

const { values } = parseArgs({
  options: {
    runs: { type: 'string', default: '5' },
    only: { type: 'string', default: '' },
    contestants: { type: 'string', default: '' },
    bundle: { type: 'string', default: 'dist/jobtail.min.js' },
    markdown: { type: 'boolean', default: false }
  }
})

const runs = Number(values.runs)
if (!Number.isSafeInteger(runs) || runs < 1) throw new RangeError(`--runs: expected an integer from 1, got ${values.runs}`)
/** Matches rows by prefix: `replay`, `replay-10000` and `replay-10000-100ms` all match the last one. */
const isAsked = (id: string): boolean => values.only.split(',').some((part) => part === '' || `${id}-`.startsWith(`${part}-`))
const takesPart = (label: string): boolean => values.contestants.split(',').some((part) => label.includes(part))
const chosen = rows.filter(({ id }) => isAsked(id)).map((row) => ({ ...row, entries: row.entries.filter(({ label }) => takesPart(label)) }))
const print = (title: string, table: Table): void =>
  console.log(`\n${values.markdown ? `**${title}**\n` : title}\n${values.markdown ? markdown(table) : plain(table)}`)

const results: RowResult[] = []
if (chosen.length > 0) {
  const stage = await startStage(values.bundle)
  const end = async (): Promise<never> => {
    await stage.close()
    process.exit(130)
  }
  process.once('SIGINT', end).once('SIGTERM', end)
  try {
    for (const row of chosen) {
      const startedAt = performance.now()
      results.push(await stage.measure(row, runs))
      console.error(`${row.id}: ${((performance.now() - startedAt) / 1000).toFixed(0)} s`)
    }
  } finally {
    await stage.close()
  }
}
for (const [title, table] of figures(results)) print(title, table)
if (isAsked('size')) print('Size of what a page imports, brotli, kB', await sizes())
if (results.length > 0) {
  const table = limits(results)
  print('Limits', table)
  const missed = table.filter((cells) => cells.at(-1) === 'MISSED').map(([what]) => what)
  console.log(`\n${missed.length === 0 ? 'No limit was missed.' : `Missed: ${missed.join('; ')}.`}`)
}
