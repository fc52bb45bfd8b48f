/** A fault that is there from the start: how soon the first event comes, and those that are appended later. */

import { setTimeout as delay } from 'node:timers/promises'
import { type Path, paths } from '../../demo/proxy/faults.ts'
import type { Engine } from '../engines.ts'
import { carriers, type Exactness, exactness } from './measure.ts'
import { faultsUpTo, type Row } from './rows.ts'
import { startStage } from './stage.ts'

export const APPENDED_AFTER_MS: readonly number[] = [1000, 3000, 8000]

export interface Early extends Exactness {
  /** A bare fetch of the job in the same page, through the same proxy, just before. */
  fetchMs: number
  firstMs: number
  /** How late each of the later events came, from its append, or from the proof of a transport that the fault doesn't hit. */
  lateMs: number[]
  carriers: string[]
}

const LIMIT_MS = 90_000

/** The faults that let a bare fetch through, where they hit no more than this. */
export const letsJsonThrough = (row: Row, upTo: Path): boolean => !row.isEverywhere && upTo !== 'short-poll'

const clock = (): number => performance.timeOrigin + performance.now()

export async function runEarly(engine: Engine, row: Row, upTo: Path): Promise<Early> {
  const stage = await startStage()
  const signal = AbortSignal.timeout(LIMIT_MS)
  await stage.publish('started', {})
  stage.proxy.set(faultsUpTo(row, upTo))
  const tab = await engine.open(stage.pageUrl(paths, true))
  try {
    await stage.until(({ startedAt }) => startedAt > 0, signal)
    const { seen } = stage
    for (const [index, ms] of APPENDED_AFTER_MS.entries()) {
      await delay(Math.max(0, seen.startedAt + ms - clock()))
      await stage.publish(index === APPENDED_AFTER_MS.length - 1 ? 'succeeded' : 'output', { index })
    }
    await stage.until(({ over }) => over !== undefined, signal).catch(() => {}) // then it has not ended, which is the outcome
    const log = await stage.readLog()
    const survivors: readonly string[] = paths.slice(paths.indexOf(upTo) + 1)
    const provedAt = seen.diagnostics.find(({ type, transport = '' }) => type === 'probe-proved' && survivors.includes(transport))?.at ?? 0
    const lateMs = log.slice(1).map(({ seq, time }) => {
      const receivedAt = seen.events.find((event) => event.seq === seq)?.at ?? Number.NaN
      return receivedAt - Math.max(Date.parse(time), provedAt)
    })
    const firstMs = (seen.events[0]?.at ?? Number.NaN) - seen.startedAt
    return { ...exactness(log, seen), fetchMs: seen.fetchMs ?? Number.NaN, firstMs, lateMs, carriers: carriers(seen) }
  } finally {
    await tab.close()
    await stage.close()
  }
}
