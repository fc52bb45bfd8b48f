/** The report in words: for people, and for whoever runs what stands in between. */

import { stripControls } from '../terminal/strip-controls.ts'
import type { DoctorReport } from './index.ts'
import { inWords } from './judge.ts'

const MARKS = { passes: '✓', 'held back': '✗', cut: '✗', refused: '✗', 'not offered': '–' } as const

export function textOf(url: string, proxy: string | undefined, { job, status, heartbeatMs, watchedMs, verdicts, between, findings }: DoctorReport): string {
  const ways = between.map(({ name, told }) => `${name} (${told})`)
  const lines = [
    `${url}, ${proxy ? `through the proxy ${proxy}` : 'directly'}`,
    `Job ${job} is ${status}; a heartbeat each ${inWords(heartbeatMs)}; watched for up to ${inWords(watchedMs)}.`,
    `In between, as far as answers tell: ${ways.join(', ') || 'nobody'}.`,
    '',
    ...verdicts.map(({ reading, outcome, seen }) => `${MARKS[outcome]} ${reading.padEnd(10)} ${outcome === 'passes' ? '' : `${outcome}: `}${seen}`),
    ''
  ]
  if (status === 'succeeded' || status === 'failed' || status === 'cancelled')
    lines.push('The job has ended, so what is held back or cut while a job runs cannot be seen: name one that runs, or start one with --start.', '')
  for (const [index, { seen, means, change, directives }] of findings.entries())
    lines.push(
      `${index + 1}. ${means}`,
      ...seen.map((each) => `   seen       ${each}`),
      `   to change  ${change}`,
      ...directives.map((each) => `              ${each}`),
      ''
    )
  if (findings.length === 0) lines.push('Nothing is refused, held back, cut or changed.', '')
  return `${lines.map(stripControls).join('\n').trimEnd()}\n`
}
