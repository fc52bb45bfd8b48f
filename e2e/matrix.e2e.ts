/** A sample of `npm run matrix`: every fault in every engine, the ways of reading in turn. */

import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { paths } from '../demo/proxy/faults.ts'
import { type Engine, type EngineName, installedEngines, startEngine } from './engines.ts'
import { runCell } from './matrix/cell.ts'
import { rows } from './matrix/rows.ts'

const engines = new Map<EngineName, Engine>()

beforeAll(async () => {
  for (const name of installedEngines()) engines.set(name, await startEngine(name))
}, 120_000)
afterAll(async () => {
  for (const engine of engines.values()) await engine.close()
})

describe.concurrent('a fault in the middle of a job', { timeout: 240_000 }, () => {
  const sample = installedEngines().flatMap((name, first) =>
    rows.map((row, index) => ({ name, row, upTo: paths[(first + index) % paths.length] ?? 'websocket' }))
  )

  test.each(sample.map((each) => ({ ...each, fault: each.row.name })))('$fault, up to $upTo, in $name', async ({ name, row, upTo }) => {
    const engine = engines.get(name)
    if (!engine) throw new Error(`${name} has not started`)
    const { lost, repeated, outOfOrder, hasEnded, over, events, lastedMs } = await runCell(engine, row, upTo)
    expect({ lost, repeated, outOfOrder, hasEnded, over }).toEqual({ lost: 0, repeated: 0, outOfOrder: 0, hasEnded: true, over: 'ended' })
    expect(events).toBeGreaterThanOrEqual(200)
    expect(lastedMs).toBeGreaterThanOrEqual(5000)
  })
})
