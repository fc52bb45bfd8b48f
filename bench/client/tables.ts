/** Formats the figures. */

import { fastestRatioOf, medianOf, type Runs, ratioOf, verdictOf } from './limits.ts'
import type { Column } from './rows.ts'
import type { RowResult } from './run.ts'

export type Table = readonly (readonly string[])[]

const number = (value: number): string =>
  Number.isNaN(value) ? '–' : value.toLocaleString('en', { maximumFractionDigits: value < 10 ? 1 : 0, minimumFractionDigits: 0 })
const times = (value: number): string => (Number.isNaN(value) ? '–' : `${value.toFixed(2)} ×`)

const none: Runs = []

function cell({ row, runs }: RowResult, { metric, isPlain }: Column, label: string): string {
  const own = runs.get(label)
  if (!own) return ''
  const value = number(medianOf(own, metric))
  const ratio = ratioOf(own, runs.get(row.other) ?? none, metric)
  return isPlain || label === row.other || Number.isNaN(ratio) ? value : `${value} (${times(ratio)})`
}

/** The tables by title: a line for each contestant, and the columns of each row. */
export function figures(results: readonly RowResult[]): Map<string, Table> {
  const tables = new Map<string, Table>()
  for (const [title, group] of Map.groupBy(results, ({ row }) => row.table)) {
    const labels = new Set(group.flatMap(({ runs }) => [...runs.keys()]))
    const columns = group.flatMap((result) => result.row.columns.map((column) => ({ result, column })))
    tables.set(title, [
      ['', ...columns.map(({ column }) => column.title)],
      ...[...labels].map((label) => [label, ...columns.map(({ result, column }) => cell(result, column, label))])
    ])
  }
  return tables
}

/** Each limit with its verdict. */
export function limits(results: readonly RowResult[]): Table {
  const lines = results.flatMap(({ row, runs }) =>
    row.columns.flatMap(({ metric, title, limit }) => {
      if (!limit) return []
      const [own, other] = [runs.get(row.own) ?? none, runs.get(row.other) ?? none]
      const granted = `${times(limit.times)}${limit.plus ? ` + ${limit.plus}` : ''}`
      const figures = [medianOf(own, metric), medianOf(other, metric)].map(number)
      const ratios = [ratioOf(own, other, metric, limit.plus), fastestRatioOf(own, other, metric, limit.plus)].map(times)
      return [[`${row.table}: ${title}`, ...figures, ...ratios, granted, verdictOf(own, other, metric, limit)]]
    })
  )
  return [['', 'jobtail', 'compared with', 'ratio', 'of the fastest', 'limit', ''], ...lines]
}

export function markdown([head = [], ...lines]: Table): string {
  return [head, head.map(() => '---'), ...lines].map((cells) => `| ${cells.join(' | ')} |`.replace(/\| {2}\|/g, '| |')).join('\n')
}

/** An aligned table for a terminal. */
export function plain(table: Table): string {
  const widths = (table[0] ?? []).map((_, column) => Math.max(...table.map((cells) => cells[column]?.length ?? 0)))
  return table
    .map((cells) =>
      cells
        .map((text, column) => text.padEnd(widths[column] ?? 0))
        .join('  ')
        .trimEnd()
    )
    .join('\n')
}
