/** The figures of what a page received. Pure functions. */

import { type Exactness, exactness, longestGapMs } from '../../e2e/matrix/measure.ts'
import type { WireEvent } from '../../src/protocol/frames.ts'
import type { Told } from './page.ts'

export interface Figures extends Exactness {
  firstMs: number
  /** The longest wait for a later event that had been appended. */
  gapMs: number
  /** The 95th percentile of the time from append to receipt, for events appended while the page followed. */
  lateMs: number
  events: number
  over: string | undefined
}

export interface Outcome {
  client: Figures & { carriers: string[]; started: string | undefined }
  eventSource: Figures
  webSocket: Figures
}

const percentile = (values: readonly number[], share: number): number =>
  values.toSorted((a, b) => a - b)[Math.min(values.length - 1, Math.floor(values.length * share))] ?? Number.NaN

export function figuresOf(log: readonly WireEvent[], told: Told): Figures {
  const [first, ...later] = told.events
  const appended = new Map(log.map(({ seq, time }) => [seq, Date.parse(time)]))
  const late = told.events.flatMap(({ seq, at }) => {
    const appendedAt = appended.get(seq) ?? Number.NaN
    return appendedAt > told.startedAt ? [Math.max(0, at - appendedAt)] : []
  })
  return {
    ...exactness(log, told),
    firstMs: (first?.at ?? Number.NaN) - told.startedAt,
    gapMs: longestGapMs(log, { ...told, startedAt: first?.at ?? Number.NaN, events: later }),
    lateMs: percentile(late, 0.95),
    events: told.events.length,
    over: told.over
  }
}
