/** A check's report as text. */

import { paintStatus } from '../terminal/colour.ts'
import type { Report, Result } from './index.ts'

const MARKS = { met: '✓', finding: '✗', 'left out': '–' } as const

/** What no client can provoke from outside. */
const NEVER_CHECKED = [
  'bye and the closing codes of a restart (§§5, 6)',
  'retention, a new epoch, 410 (§§1, 6)',
  'a job that its reader may not read, among others (§7)',
  'limits: 429 and 503, slow readers, a subscribe beyond mux (§§6 to 8)'
]

export type Verdict = 'met' | 'findings' | 'not run'

const isAnswer = ({ id }: Result): boolean => id.endsWith('-answers')
const isMet = ({ outcome }: Result): boolean => outcome === 'met'

/** Whether the server offered no reading of a job at all. */
const lacksReadings = ({ results }: Report): boolean => results.some(isAnswer) && !results.filter(isAnswer).some(isMet)

/** `not run` where the server offered no reading: clauses that were left out don't count as met. */
export function verdictOf({ results }: Report): Verdict {
  if (results.some(({ outcome }) => outcome === 'finding')) return 'findings'
  const looked = results.some(isAnswer) ? results.filter(isAnswer) : results
  return looked.some(isMet) ? 'met' : 'not run'
}

export const countOf = ({ results }: Report, outcome: Result['outcome']): number => results.filter((each) => each.outcome === outcome).length

export const titleOf = (base: string): string => `${base} against PROTOCOL.md, version 1`

/** The text of one clause's result. */
export function resultText(result: Result, isColoured: boolean): string {
  const head = `${paintStatus(MARKS[result.outcome], result.outcome, isColoured)} ${result.section} ${result.id}: ${result.says}`
  if (result.outcome === 'left out') return `${head}\n    left out: ${result.reason}`
  if (result.outcome === 'met') return head
  return `${head}\n    asked:    ${result.asked}\n    expected: ${result.expected}\n    came:     ${result.came}`
}

/** The end of a report: the clauses that were left out, the counts, and what a check can't test. */
export function summaryText(report: Report, isColoured: boolean): string {
  const findings = countOf(report, 'finding')
  const leftOut = lacksReadings(report) ? [] : report.results.filter(({ outcome }) => outcome === 'left out')
  return [
    ...leftOut.map((result) => resultText(result, isColoured)),
    '',
    `${report.results.length} clauses: ${countOf(report, 'met')} met, ${findings} ${findings === 1 ? 'finding' : 'findings'}, ${countOf(report, 'left out')} left out`,
    ...(lacksReadings(report) ? [lackOf(report)] : []),
    ...(verdictOf(report) === 'not run' ? ['Nothing could be checked: this says nothing about the server.'] : []),
    'Never checked from outside:',
    ...NEVER_CHECKED.map((each) => `  ${each}`)
  ].join('\n')
}

function lackOf({ base, results }: Report): string {
  const reasons = new Set(results.flatMap((each) => (isAnswer(each) && each.outcome === 'left out' ? [each.reason] : [])))
  return [`No reading of a job was found. Is ${base} where the jobs are, {base} in PROTOCOL.md §2?`, ...reasons].join('\n    ')
}
