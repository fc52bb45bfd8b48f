/** Medians, ratios and limits of the figures. Pure functions. */

import type { Measured } from './spec.ts'

export type Metric = keyof Measured

/** One entry per run; `undefined` for a failed one. */
export type Runs = readonly (Measured | undefined)[]

export interface Limit {
  /** The limit as a multiple of the other contestant's figure. */
  times: number
  /** An allowance on top of that, in the metric's unit. Default 0. */
  plus?: number
}

/** The median, without NaN values; NaN for an empty list. */
export function median(values: readonly number[]): number {
  const sorted = values.filter((value) => !Number.isNaN(value)).toSorted((a, b) => a - b)
  const middle = sorted.length / 2
  const [low = Number.NaN, high = Number.NaN] = [sorted[Math.ceil(middle) - 1], sorted[Math.floor(middle)]]
  return (low + high) / 2
}

const figureOf = (measured: Measured | undefined, metric: Metric): number => measured?.[metric] ?? Number.NaN

export const medianOf = (runs: Runs, metric: Metric): number => median(runs.map((run) => figureOf(run, metric)))

/** The median of the runs' ratios, since a slow run slows both contestants. `plus` is subtracted first. */
export function ratioOf(runs: Runs, others: Runs, metric: Metric, plus = 0): number {
  return median(runs.map((run, index) => Math.max(0, figureOf(run, metric) - plus) / figureOf(others[index], metric)))
}

/** The ratio of the fastest runs, which a busy machine disturbs least. For information only. */
export function fastestRatioOf(runs: Runs, others: Runs, metric: Metric, plus = 0): number {
  const fastest = (of: Runs): number => of.reduce((least, run) => Math.min(least, run?.[metric] ?? Number.POSITIVE_INFINITY), Number.POSITIVE_INFINITY)
  return Math.max(0, fastest(runs) - plus) / fastest(others)
}

export type Verdict = 'held' | 'MISSED' | 'not measured'

export function verdictOf(runs: Runs, others: Runs, metric: Metric, { times, plus }: Limit): Verdict {
  const ratio = ratioOf(runs, others, metric, plus)
  if (Number.isNaN(ratio)) return 'not measured'
  return ratio <= times ? 'held' : 'MISSED'
}
