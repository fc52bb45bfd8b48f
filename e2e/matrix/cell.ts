/** One fault, one way of reading, one page. */

import { setTimeout as delay } from 'node:timers/promises'
import { type Path, paths } from '../../demo/proxy/faults.ts'
import type { Engine } from '../engines.ts'
import { carriers, type Exactness, exactness, firstAfterMs, longestGapMs } from './measure.ts'
import { faultsUpTo, type Row, schedule } from './rows.ts'
import { type Stage, startStage } from './stage.ts'

export interface Outcome extends Exactness {
  firstMs: number
  /** From the fault's start to the first event that was appended after it. */
  afterFaultMs: number
  /** The same, from when the fault was lifted; undefined where it was not. */
  afterLiftMs: number | undefined
  gapMs: number
  carriers: string[]
  events: number
  /** From the first event's append to the last one's. */
  lastedMs: number
  over: string | undefined
}

/** Who isn't through by then never will be. */
const LIMIT_MS = 150_000

const clock = (): number => performance.timeOrigin + performance.now()

/** Appends the job's events from one on, up to another, when they are due: the first of them as long after now as after the one before it. */
async function append(stage: Stage, dueMs: readonly number[], from: number, to = dueMs.length): Promise<void> {
  const startedAt = clock() - (dueMs[from - 1] ?? 0)
  for (let index = from; index < to; index += 1) {
    const leftMs = startedAt + (dueMs[index] ?? 0) - clock()
    if (leftMs > 0) await delay(leftMs)
    await stage.publish(index === dueMs.length - 1 ? 'succeeded' : 'output', { index, text: `Ereignis № ${index} ${'·'.repeat(index % 40)}` })
  }
}

/** A connection that somebody else makes meanwhile may have been given the port for a while. */
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

/** Brings the fault and lifts it, where it is one that lasts for so long; when that was. */
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

/** Follows a job in a page of this engine while the fault comes to one way of reading and all better ones. */
export async function runCell(engine: Engine, row: Row, upTo: Path): Promise<Outcome> {
  const stage = await startStage()
  const signal = AbortSignal.timeout(LIMIT_MS)
  await stage.publish('started', {})
  const tab = await engine.open(stage.pageUrl(row.isEverywhere ? paths.slice(paths.indexOf(upTo)) : paths, false))
  try {
    await stage.until(({ startedAt }) => startedAt > 0, signal)
    const due = schedule(row.pace)
    await append(stage, due, 0, row.afterEvents)
    await stage.until(({ events }) => events.length > row.afterEvents, signal) // `started` is one, too
    const [fault] = await Promise.all([bringFault(stage, row, upTo), append(stage, due, row.afterEvents)])
    await stage.until(({ over }) => over !== undefined, signal).catch(() => {}) // then it has not ended, which is the outcome
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
