/** A sample of `npm run matrix`: every fault in every engine, with the paths in turn. */

import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { paths } from '../demo/proxy/faults.ts'
import { type Engine, type EngineName, installedEngines, startEngine } from './engines.ts'
import { runCell } from './matrix/cell.ts'
import { runEarly } from './matrix/early.ts'
import { rows } from './matrix/rows.ts'

const engines = new Map<EngineName, Engine>()

beforeAll(async () => {
  for (const name of installedEngines()) engines.set(name, await startEngine(name))
}, 120_000)
afterAll(async () => {
  for (const engine of engines.values()) await engine.close()
})

function started(name: EngineName): Engine {
  const engine = engines.get(name)
  if (!engine) throw new Error(`${name} has not started`)
  return engine
}

describe.concurrent('a fault in the middle of a job', { timeout: 240_000 }, () => {
  const sample = installedEngines().flatMap((name, first) =>
    rows.map((row, index) => ({ name, row, upTo: paths[(first + index) % paths.length] ?? 'websocket' }))
  )

  test.each(sample.map((each) => ({ ...each, fault: each.row.name })))('$fault, up to $upTo, in $name', async ({ name, row, upTo }) => {
    const { lost, repeated, outOfOrder, hasEnded, over, events, lastedMs } = await runCell(started(name), row, upTo)
    expect({ lost, repeated, outOfOrder, hasEnded, over }).toEqual({ lost: 0, repeated: 0, outOfOrder: 0, hasEnded: true, over: 'ended' })
    expect(events).toBeGreaterThanOrEqual(200)
    expect(lastedMs).toBeGreaterThanOrEqual(5000)
  })
})

describe.concurrent('a fault from the start', { timeout: 240_000 }, () => {
  const sample = [
    { fault: 'never answered', upTo: 'sse' },
    { fault: 'muted', upTo: 'long-poll' },
    { fault: '504 after 1 s', upTo: 'long-poll' }
  ] as const

  test.each(installedEngines().flatMap((name) => sample.map((each) => ({ name, ...each }))))('$fault, up to $upTo, in $name', async ({ name, fault, upTo }) => {
    const row = rows.find((each) => each.name === fault)
    if (!row) throw new Error(`no fault ${fault}`)
    const { lost, repeated, outOfOrder, hasEnded, fetchMs, firstMs, lateMs } = await runEarly(started(name), row, upTo)
    expect({ lost, repeated, outOfOrder, hasEnded }).toEqual({ lost: 0, repeated: 0, outOfOrder: 0, hasEnded: true })
    // A second on an idle machine; a bare fetch shows how busy it is. Waiting for a failed probe would take 5 s, waiting for heartbeats 19 s.
    expect(firstMs).toBeLessThan(4000 + 1.5 * fetchMs)
    expect(Math.max(...lateMs)).toBeLessThan(15_000)
  })
})
