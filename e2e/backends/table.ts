/** The outcomes as Markdown: a line for each backend, a column for each fault. */

import { servers } from '../../test/backends/servers.ts'
import { type SubjectName, subjects } from '../../test/backends/subjects.ts'
import type { Outcome } from './cell.ts'
import { type Fault, faults } from './faults.ts'
import { broken } from './promise.ts'

const row = (cells: readonly string[]): string => `| ${cells.join(' | ')} |`

/** The steps seen of those of the record, the gaps, and how soon the first step after the fault was seen. */
function cell(name: SubjectName, outcome: Outcome | undefined): string {
  if (!outcome) return '–'
  const { record, seen, backMs } = outcome
  const wrong = broken(subjects[name].backend.promises, outcome)
  const gaps = seen.filter(({ type }) => type === 'gap').length
  const parts = [`${seen.filter(({ step }) => step !== undefined).length}/${record.length}`]
  if (gaps > 0) parts.push(`${gaps} ${gaps === 1 ? 'gap' : 'gaps'}`)
  if (!Number.isNaN(backMs)) parts.push(`${(backMs / 1000).toFixed(2)} s`)
  return `${parts.join(', ')}${wrong.length > 0 ? ' **broken**' : ''}`
}

/** `outcomeOf`: undefined where a cell could not be run. */
export function backendsTable(names: readonly SubjectName[], outcomeOf: (name: SubjectName, fault: Fault) => Outcome | undefined): string {
  const head = ['backend', 'promises', 'server', ...faults.map(({ name }) => name)]
  const lines = names.map((name) => [
    name,
    `\`${subjects[name].backend.promises}\``,
    servers[name].is,
    ...faults.map((fault) => cell(name, outcomeOf(name, fault)))
  ])
  return [row(head), row(head.map(() => '---')), ...lines.map(row)].join('\n')
}
