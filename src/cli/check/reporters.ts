/** Prints a check's results: as text, JSON, JUnit's XML, or annotations of GitHub. */

import type { REPORTERS } from '../arguments/options.ts'
import type { CommandContext } from '../command-context.ts'
import { hasColour } from '../terminal/colour.ts'
import { stripControls } from '../terminal/strip-controls.ts'
import type { Report, Result } from './index.ts'
import { countOf, resultText, summaryText, titleOf, verdictOf } from './text-report.ts'

export interface Reporter {
  /** Called with each result as soon as it is known. */
  result(result: Result, total: number): void
  end(report: Report): void
  /** Called where the check could not be run, or not to its end. */
  failed(base: string, message: string): void
}

type Format = (typeof REPORTERS)[number]

export function createReporter(format: Format, base: string, context: CommandContext): Reporter {
  const lines = format === 'text' || format === 'github' ? textReporter(base, context, format === 'github') : undefined
  return lines ?? withCounter(format === 'json' ? jsonReporter(context) : junitReporter(context), context)
}

/** Prints each result as soon as it is known, since a check takes a while. Clauses that were left out are listed at the end, beside the counts. */
function textReporter(base: string, { stdout, env }: CommandContext, isAnnotated: boolean): Reporter {
  const isColoured = hasColour(stdout, env)
  stdout.write(`${titleOf(base)}\n\n`)
  return {
    result(result) {
      if (result.outcome !== 'left out') stdout.write(`${resultText(result, isColoured)}\n`)
      if (isAnnotated && result.outcome === 'finding') stdout.write(`${annotation(result)}\n`)
    },
    end: (report) => stdout.write(`${summaryText(report, isColoured)}\n`),
    failed(_, message) {
      if (isAnnotated) stdout.write(`::error title=jobtail check could not be run::${escapeData(message)}\n`)
    }
  }
}

/** https://docs.github.com/en/actions/reference/workflows-and-actions/workflow-commands */
const annotation = ({ id, section, says, asked, expected, came }: Result & { outcome: 'finding' }): string =>
  `::error title=${escapeData(`${section} ${id}`).replaceAll(':', '%3A').replaceAll(',', '%2C')}::${escapeData(`${says}\nasked: ${asked}\nexpected: ${expected}\ncame: ${came}`)}`

const escapeData = (text: string): string => text.replaceAll('%', '%25').replaceAll('\r', '%0D').replaceAll('\n', '%0A')

function jsonReporter({ stdout }: CommandContext): Omit<Reporter, 'result'> {
  const write = (value: object): void => stdout.write(`${JSON.stringify(value, undefined, 2)}\n`)
  return {
    end: (report) => write({ ...report, verdict: verdictOf(report) }),
    failed: (base, error) => write({ base, results: [], verdict: 'not run', error })
  }
}

function junitReporter({ stdout }: CommandContext): Omit<Reporter, 'result'> {
  const suite = (base: string, counts: Record<string, number>, cases: readonly string[]): void => {
    const numbers = Object.entries(counts).map(([name, count]) => ` ${name}="${count}"`)
    stdout.write(
      `<?xml version="1.0" encoding="UTF-8"?>\n<testsuites>\n<testsuite name="${xml(`jobtail check ${base}`)}"${numbers.join('')}>\n${cases.join('\n')}\n</testsuite>\n</testsuites>\n`
    )
  }
  return {
    end(report) {
      const counts = { tests: report.results.length, failures: countOf(report, 'finding'), errors: 0, skipped: countOf(report, 'left out') }
      if (verdictOf(report) !== 'not run') suite(report.base, counts, report.results.map(testCase))
      else suite(report.base, { ...counts, tests: counts.tests + 1, errors: 1 }, [...report.results.map(testCase), errorCase('nothing could be checked')])
    },
    failed: (base, message) => suite(base, { tests: 1, failures: 0, errors: 1, skipped: 0 }, [errorCase(message)])
  }
}

function testCase(result: Result): string {
  const { id, group, section, says, outcome } = result
  const head = `<testcase classname="${xml(group)}" name="${xml(`${section} ${id}: ${says}`)}"`
  if (outcome === 'met') return `${head}/>`
  if (outcome === 'left out') return `${head}><skipped message="${xml(result.reason)}"/></testcase>`
  const text = `asked: ${result.asked}\nexpected: ${result.expected}\ncame: ${result.came}`
  return `${head}><failure message="${xml(`expected ${result.expected}, got ${result.came}`)}">${xml(text)}</failure></testcase>`
}

const errorCase = (message: string): string => `<testcase classname="check" name="it could be run"><error message="${xml(message)}"/></testcase>`

/** Without what XML 1.0 can't have at all (§2.2). */
const xml = (text: string): string =>
  text
    // biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what it replaces
    .replace(/[\u0000-\u0008\u000b\u000c\u000e-\u001f\ufffe\uffff]|\p{Surrogate}/gu, ' ')
    .replaceAll('&', '&amp;')
    .replaceAll('<', '&lt;')
    .replaceAll('>', '&gt;')
    .replaceAll('"', '&quot;')

/** Shows a counter on a terminal, for reporters that print everything at the end. */
function withCounter(reporter: Omit<Reporter, 'result'>, { stderr }: CommandContext): Reporter {
  let done = 0
  const clear = (): void => {
    if (stderr.columns() !== undefined && done > 0) stderr.write('\r\x1b[K')
  }
  return {
    result({ id }, total) {
      done++
      const width = stderr.columns()
      if (width !== undefined) stderr.write(`\r\x1b[K${stripControls(`${done}/${total} ${id}`).slice(0, width - 1)}`)
    },
    end(report) {
      clear()
      reporter.end(report)
    },
    failed(base, message) {
      clear()
      reporter.failed(base, message)
    }
  }
}
