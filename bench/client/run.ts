/** Starts the processes and measures row by row. Within a row, the contestants take turns, so that drift affects all alike. */

import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { type Control, startControl } from './control.ts'
import type { Runs } from './limits.ts'
import type { Entry, Row } from './rows.ts'
import type { Measured } from './spec.ts'

export interface RowResult {
  row: Row
  /** The runs of each contestant, by label. */
  runs: ReadonlyMap<string, Runs>
}

interface Child {
  origin: string
  port: number
  stop(): Promise<void>
}

async function start(file: string, args: readonly string[]): Promise<Child> {
  const child: ChildProcess = fork(join(import.meta.dirname, file), args)
  const ended = once(child, 'exit')
  const told = await Promise.race([once(child, 'message'), ended.then(() => undefined)])
  if (!told) throw new Error(`${file} has ended before it listened`)
  const [{ port }] = told
  return {
    port,
    origin: `http://localhost:${port}`,
    async stop() {
      child.kill()
      await ended
    }
  }
}

export interface Stage {
  measure(row: Row, runs: number): Promise<RowResult>
  close(): Promise<void>
}

/** Measures the rows. `bundle`: the path of the script-tag file. */
export async function startStage(bundle: string): Promise<Stage> {
  const stops: (() => Promise<void>)[] = []
  const close = async (): Promise<void> => {
    for (const stop of stops.toReversed()) await stop()
  }
  try {
    const server = await start('server.ts', [bundle])
    stops.push(server.stop)
    const relay = await start('relay.ts', [`${server.port}`, '50'])
    stops.push(relay.stop)
    const control = await startControl()
    stops.push(control.close)
    return { close, measure: (row, runs) => measureRow(control, row.rttMs === 0 ? server.origin : relay.origin, row, runs) }
  } catch (error) {
    await close()
    throw error
  }
}

let count = 0

async function measureOnce(control: Control, origin: string, { contestant, task }: Entry): Promise<Measured> {
  count += 1
  const measured = await control.measure(origin, { task, contestant, id: `run-${count}` })
  if (task.do !== 'burst') return measured
  const perEvent = 1000 / task.events
  return { ...measured, mainMicros: (measured.mainMs ?? Number.NaN) * perEvent, eventMicros: (measured.ms ?? Number.NaN) * perEvent }
}

async function measureRow(control: Control, origin: string, row: Row, runs: number): Promise<RowResult> {
  const results = new Map<string, (Measured | undefined)[]>(row.entries.map(({ label }) => [label, []]))
  /** Contestants that have failed. They are not tried again, since each failure may take the whole time limit. */
  const failed = new Set<Entry>()
  for (let run = -1; run < runs; run += 1) {
    for (let index = 0; index < row.entries.length; index += 1) {
      const entry = row.entries[(index + run + 1) % row.entries.length] as Entry // as: within the list
      if (failed.has(entry)) continue
      const measured = await measureOnce(control, origin, entry).catch((error: unknown) => {
        console.error(`${row.id}, ${entry.label}: ${error instanceof Error ? error.message : error}`)
        process.exitCode = 1
        failed.add(entry)
        return undefined
      })
      if (run >= 0) results.get(entry.label)?.push(measured) // the run before the first warms up
    }
  }
  return { row, runs: results }
}
