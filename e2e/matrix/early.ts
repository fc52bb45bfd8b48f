/** A fault from the start: how soon the first event arrives, and how late later ones do. */

import { setTimeout as delay } from 'node:timers/promises'
import { type Path, paths } from '../../demo/proxy/faults.ts'
import type { Engine } from '../engines.ts'
import { carriers, type Exactness, exactness } from './measure.ts'
import type { Report } from './page.ts'
import { faultsUpTo, type Row } from './rows.ts'
import { type Stage, startStage } from './stage.ts'

/** When later events are appended, in ms after the page began to follow the job. */
export const APPENDED_AFTER_MS: readonly number[] = [1000, 3000, 8000]

export interface Early extends Exactness {
  /** The median time of a bare fetch of the job, in the same page and through the same proxy, just before. */
  fetchMs: number
  /** The median time of the first event of the same visits. */
  firstMs: number
  /** How late each later event arrived: since its append, or since the first frame of a transport that the fault spares. */
  lateMs: number[]
  carriers: string[]
}

const LIMIT_MS = 90_000

/** For each fault, the last path up to which it lets a bare fetch through. */
export const letsJsonThrough = (row: Row, upTo: Path): boolean => !row.isEverywhere && upTo !== 'short-poll'

const median = (values: readonly number[]): number => values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] ?? Number.NaN

const clock = (): number => performance.timeOrigin + performance.now()

type Visit = Pick<Early, 'fetchMs' | 'firstMs'>

const visitOf = ({ fetchMs = Number.NaN, startedAt, events }: Report): Visit => ({ fetchMs, firstMs: (events[0]?.at ?? Number.NaN) - startedAt })

/** Opens a page on a job under the fault, from a new origin, so that no winner is remembered. */
async function visit<T>(engine: Engine, row: Row, upTo: Path, act: (stage: Stage, signal: AbortSignal) => Promise<T>): Promise<T> {
  const stage = await startStage()
  const signal = AbortSignal.timeout(LIMIT_MS)
  await stage.publish('started', {})
  stage.proxy.set(faultsUpTo(row, upTo))
  const tab = await engine.open(stage.pageUrl(paths, true))
  try {
    await stage.until(({ startedAt }) => startedAt > 0, signal)
    return await act(stage, signal)
  } finally {
    await tab.close()
    await stage.close()
  }
}

/** Measures one fault. `visits`: how often the first event is measured. */
export async function runEarly(engine: Engine, row: Row, upTo: Path, visits = 1): Promise<Early> {
  const short: Visit[] = []
  while (short.length < visits - 1) {
    short.push(
      await visit(engine, row, upTo, async ({ seen, until }, signal) => {
        await until(({ events }) => events.length > 0, signal)
        return visitOf(seen)
      })
    )
  }
  return visit(engine, row, upTo, async (stage, signal) => {
    const { seen } = stage
    for (const [index, ms] of APPENDED_AFTER_MS.entries()) {
      await delay(Math.max(0, seen.startedAt + ms - clock()))
      await stage.publish(index === APPENDED_AFTER_MS.length - 1 ? 'succeeded' : 'output', { index })
    }
    await stage.until(({ over }) => over !== undefined, signal).catch(() => {}) // the job has not ended on the page, which the outcome says
    const log = await stage.readLog()
    const survivors: readonly string[] = paths.slice(paths.indexOf(upTo) + 1)
    const provedAt = seen.diagnostics.find(({ type, transport = '' }) => type === 'probe-proved' && survivors.includes(transport))?.at ?? 0
    const lateMs = log.slice(1).map(({ seq, time }) => {
      const receivedAt = seen.events.find((event) => event.seq === seq)?.at ?? Number.NaN
      return receivedAt - Math.max(Date.parse(time), provedAt)
    })
    const all = [...short, visitOf(seen)]
    const medianOf = (name: keyof Visit): number => median(all.map((each) => each[name]))
    return { ...exactness(log, seen), fetchMs: medianOf('fetchMs'), firstMs: medianOf('firstMs'), lateMs, carriers: carriers(seen) }
  })
}
