/** The outcomes as Markdown: a line for each fault and path, the engines side by side. */

import type { Outcome } from './cell.ts'
import type { Early } from './early.ts'

/** The outcomes of one fault, up to one path, in each engine. */
export interface Line<T> {
  fault: string
  upTo: string
  /** In the order of the engines; `undefined` if it could not be run. */
  outcomes: readonly (T | undefined)[]
}

/** Missing values are a dash. A value that is the same in all engines is written once. */
function sides(values: readonly (string | undefined)[]): string {
  const all = values.map((value) => value ?? '–')
  return new Set(all).size === 1 ? (all[0] ?? '–') : all.join(' / ')
}

const seconds = (ms: number | undefined): string | undefined => (ms === undefined || Number.isNaN(ms) ? undefined : (ms / 1000).toFixed(ms < 10_000 ? 2 : 1))
const isNumber = (ms: number | undefined): ms is number => ms !== undefined && !Number.isNaN(ms)
const millis = (ms: number | undefined): string | undefined => (isNumber(ms) ? String(Math.round(ms)) : undefined)

const markdown = (head: readonly string[], lines: readonly (readonly string[])[]): string =>
  [head, head.map(() => '---'), ...lines].map((cells) => `| ${cells.join(' | ')} |`).join('\n')

const route = (carriers: readonly string[]): string => {
  const [first, ...rest] = carriers
  const last = rest.at(-1)
  return !last ? (first ?? '') : rest.length === 1 ? `${first} → ${last}` : `${first} → … → ${last}`
}

/** The totals. */
export function totals(lines: readonly Line<Outcome>[]): string {
  const outcomes = lines.flatMap((line) => line.outcomes.filter((each) => each !== undefined))
  const sum = (pick: (each: Outcome) => number): number => outcomes.reduce((total, each) => total + pick(each), 0)
  const ended = outcomes.filter(({ hasEnded }) => hasEnded).length
  const events = sum((each) => each.events).toLocaleString('en')
  return `${outcomes.length} jobs, ${events} events: ${sum((each) => each.lost)} lost, ${sum((each) => each.repeated)} repeated, ${sum((each) => each.outOfOrder)} out of order; ${ended} reached their end.`
}

const worst = (values: readonly (number | undefined)[]): number => Math.max(...values.filter((value) => value !== undefined))

/** The longest gap by fault and path, in the engine where it was longest. For faults that let nothing pass, from when they were lifted. */
export function summaryTable(lines: readonly Line<Outcome>[]): string {
  const paths = [...new Set(lines.map(({ upTo }) => upTo))]
  const cell = (fault: string, upTo: string): string => {
    const outcomes = lines.find((line) => line.fault === fault && line.upTo === upTo)?.outcomes ?? []
    const afterLift = outcomes.map((each) => each?.afterLiftMs)
    if (afterLift.every((ms) => ms === undefined)) return seconds(worst(outcomes.map((each) => each?.gapMs))) ?? '–'
    return `lifted + ${seconds(worst(afterLift)) ?? '–'}`
  }
  const faults = [...new Set(lines.map(({ fault }) => fault))]
  return markdown(
    ['longest gap, s, where the fault hits', ...paths.map((path, index) => (index === 0 ? path : `… and ${path}`))],
    faults.map((fault) => [fault, ...paths.map((path) => cell(fault, path))])
  )
}

/** The table for faults in the middle of a job. */
export function middleTable(lines: readonly Line<Outcome>[]): string {
  const head = [
    'fault',
    'hits, up to',
    'first event, ms',
    'first after the fault, s',
    'after its end, s',
    'longest gap, s',
    'lost',
    'repeated',
    'out of order',
    'end',
    'carried by'
  ]
  return markdown(
    head,
    lines.map(({ fault, upTo, outcomes }) => [
      fault,
      upTo,
      sides(outcomes.map((each) => millis(each?.firstMs))),
      sides(outcomes.map((each) => seconds(each?.afterFaultMs))),
      sides(outcomes.map((each) => seconds(each?.afterLiftMs))),
      sides(outcomes.map((each) => seconds(each?.gapMs))),
      sides(outcomes.map((each) => each && String(each.lost))),
      sides(outcomes.map((each) => each && String(each.repeated))),
      sides(outcomes.map((each) => each && String(each.outOfOrder))),
      sides(outcomes.map((each) => each && (each.hasEnded ? 'yes' : `no (${each.over ?? 'still following'})`))),
      sides(outcomes.map((each) => each && route(each.carriers)))
    ])
  )
}

const limitMs = ({ fetchMs }: Early): number => fetchMs * 1.5 + 100

/** The table for faults from the start. Values over their bound are in bold. */
export function earlyTable(lines: readonly Line<Early>[]): string {
  const marked = (value: string | undefined, isOver: boolean): string | undefined => (value && isOver ? `**${value}**` : value)
  const late = (each: Early | undefined, index: number): string | undefined => {
    const ms = each?.lateMs[index]
    return isNumber(ms) ? marked(seconds(Math.max(0, ms)), ms > 1000) : undefined
  }
  return markdown(
    ['fault', 'hits, up to', 'bare fetch, ms', 'first event, ms', 'event at 1 s, s late', 'at 3 s', 'at 8 s', 'carried by'],
    lines.map(({ fault, upTo, outcomes }) => [
      fault,
      upTo,
      sides(outcomes.map((each) => millis(each?.fetchMs))),
      sides(outcomes.map((each) => each && marked(millis(each.firstMs), each.firstMs > limitMs(each)))),
      ...[0, 1, 2].map((index) => sides(outcomes.map((each) => late(each, index)))),
      sides(outcomes.map((each) => each && route(each.carriers)))
    ])
  )
}
