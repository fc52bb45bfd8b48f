/** One cell of the matrix: one fault, one path, one page. */

import { setTimeout as delay } from 'node:timers/promises'
import { type Path, paths } from '../../demo/proxy/faults.ts'
import type { Engine } from '../engines.ts'
import { carriers, type Exactness, exactness, firstAfterMs, longestGapMs } from './measure.ts'
import { faultsUpTo, type Row, schedule } from './rows.ts'
import { type Stage, startStage } from './stage.ts'

export interface Outcome extends Exactness {
  firstMs: number
  /** From the fault's start to the receipt of the first event that was appended after it. */
  afterFaultMs: number
  /** The same from the fault's end; `undefined` if it was not lifted. */
  afterLiftMs: number | undefined
  gapMs: number
  carriers: string[]
  events: number
  /** From the append of the first event to that of the last one. */
  lastedMs: number
  over: string | undefined
}

/** The time limit of one cell. */
const LIMIT_MS = 150_000

const clock = (): number => performance.timeOrigin + performance.now()

/** Appends a range of the job's events when they are due. The first one keeps its distance from the event before it, counted from now. */
async function append(stage: Stage, dueMs: readonly number[], from: number, to = dueMs.length): Promise<void> {
  const startedAt = clock() - (dueMs[from - 1] ?? 0)
  for (let index = from; index < to; index += 1) {
    const leftMs = startedAt + (dueMs[index] ?? 0) - clock()
    if (leftMs > 0) await delay(leftMs)
    await stage.publish(index === dueMs.length - 1 ? 'succeeded' : 'output', { index, text: `Ereignis № ${index} ${'·'.repeat(index % 40)}` })
  }
}

/** Listens again. The port may be taken for a moment by another process's outgoing connection. */
async function listenAgain({ proxy }: Stage): Promise<void> {
  const deadline = clock() + LIMIT_MS
  for (;;) {
    try {
      return await proxy.listen()
    } catch (error) {
      if (clock() > deadline) throw error
      await delay(100)
    }
  }
}

/** Starts the fault and lifts it, if it is one that has to be. Returns both times. */
async function bringFault(stage: Stage, row: Row, upTo: Path): Promise<{ at: number; liftedAt: number | undefined }> {
  const { proxy } = stage
  const at = clock()
  const isEverywhere = row.isEverywhere || upTo === 'short-poll'
  if (isEverywhere && row.isDownEverywhere) proxy.unlisten()
  else proxy.set(faultsUpTo(row, upTo))
  if (row.liftAfterMs === undefined || !isEverywhere) return { at, liftedAt: undefined }
  await delay(row.liftAfterMs)
  if (row.isDownEverywhere) await listenAgain(stage)
  else proxy.set({ upTo: 'short-poll', webSocket: 'pass', http: 'pass', stalled: false })
  return { at, liftedAt: clock() }
}

/** Follows a job in a page of this engine while the fault acts on one path and all better ones. */
export async function runCell(engine: Engine, row: Row, upTo: Path): Promise<Outcome> {
  const stage = await startStage()
  const signal = AbortSignal.timeout(LIMIT_MS)
  await stage.publish('started', {})
  const tab = await engine.open(stage.pageUrl(row.isEverywhere ? paths.slice(paths.indexOf(upTo)) : paths, false))
  try {
    await stage.until(({ startedAt }) => startedAt > 0, signal)
    const due = schedule(row.pace)
    await append(stage, due, 0, row.afterEvents)
    await stage.until(({ events }) => events.length > row.afterEvents, signal) // `started` counts, too
    const [fault] = await Promise.all([bringFault(stage, row, upTo), append(stage, due, row.afterEvents)])
    await stage.until(({ over }) => over !== undefined, signal).catch(() => {}) // the job has not ended on the page, which the outcome says
    const log = await stage.readLog()
    const { seen } = stage
    return {
      ...exactness(log, seen),
      firstMs: (seen.events[0]?.at ?? Number.NaN) - seen.startedAt,
      afterFaultMs: firstAfterMs(log, seen.events, fault.at),
      afterLiftMs: fault.liftedAt && firstAfterMs(log, seen.events, fault.liftedAt),
      gapMs: longestGapMs(log, seen),
      carriers: carriers(seen),
      events: log.length,
      lastedMs: Date.parse(log.at(-1)?.time ?? '') - Date.parse(log[0]?.time ?? ''),
      over: seen.over
    }
  } finally {
    await tab.close()
    await stage.close()
  }
}
