/** What a check came to, for a person. */

import { paintStatus } from '../terminal/colour.ts'
import type { Report, Result } from './index.ts'

const MARKS = { met: '✓', finding: '✗', 'left out': '–' } as const

/** What no client can bring about from outside. */
const NEVER_CHECKED = [
  'bye and the closing codes of a restart (§§5, 6)',
  'retention, a new epoch, 410 (§§1, 6)',
  'a job that its reader may not read, among others (§7)',
  'limits: 429 and 503, slow readers, a subscribe beyond mux (§§6 to 8)'
]

export type Verdict = 'met' | 'findings' | 'not run'

const isAnswer = ({ id }: Result): boolean => id.endsWith('-answers')
const isMet = ({ outcome }: Result): boolean => outcome === 'met'

/** No reading of a job was there to look at, whatever else was. */
const lacksReadings = ({ results }: Report): boolean => results.some(isAnswer) && !results.filter(isAnswer).some(isMet)

/** `not run` where there was no reading to look at: what was left out is not passed. */
export function verdictOf({ results }: Report): Verdict {
  if (results.some(({ outcome }) => outcome === 'finding')) return 'findings'
  const looked = results.some(isAnswer) ? results.filter(isAnswer) : results
  return looked.some(isMet) ? 'met' : 'not run'
}

export const countOf = ({ results }: Report, outcome: Result['outcome']): number => results.filter((each) => each.outcome === outcome).length

export const titleOf = (base: string): string => `${base} against PROTOCOL.md, version 1`

/** One clause. */
export function resultText(result: Result, isColoured: boolean): string {
  const head = `${paintStatus(MARKS[result.outcome], result.outcome, isColoured)} ${result.section} ${result.id}: ${result.says}`
  if (result.outcome === 'left out') return `${head}\n    left out: ${result.reason}`
  if (result.outcome === 'met') return head
  return `${head}\n    asked:    ${result.asked}\n    expected: ${result.expected}\n    came:     ${result.came}`
}

/** What is said when all clauses have been put: those that were left out, the counts, and what they are worth. */
export function summaryText(report: Report, isColoured: boolean): string {
  const findings = countOf(report, 'finding')
  const leftOut = lacksReadings(report) ? [] : report.results.filter(({ outcome }) => outcome === 'left out')
  return [
    ...leftOut.map((result) => resultText(result, isColoured)),
    '',
    `${report.results.length} clauses: ${countOf(report, 'met')} met, ${findings} ${findings === 1 ? 'finding' : 'findings'}, ${countOf(report, 'left out')} left out`,
    ...(lacksReadings(report) ? [lackOf(report)] : []),
    ...(verdictOf(report) === 'not run' ? ['There was nothing to look at: this says nothing about the server.'] : []),
    'Never checked from outside:',
    ...NEVER_CHECKED.map((each) => `  ${each}`)
  ].join('\n')
}

function lackOf({ base, results }: Report): string {
  const reasons = new Set(results.flatMap((each) => (isAnswer(each) && each.outcome === 'left out' ? [each.reason] : [])))
  return [`No reading of a job was found. Is ${base} where the jobs are, {base} in PROTOCOL.md §2?`, ...reasons].join('\n    ')
}
