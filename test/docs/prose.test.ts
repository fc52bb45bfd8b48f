/** What documents look like to their reader: README fits five minutes, prose fits the screen. */

import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { documents, read } from './documents.ts'

const root = join(import.meta.dirname, '../..')
const MAX_LINES = 200
const MAX_COLUMNS = 160
/** Their measurements are being rewritten. */
const SPARED = ['docs/benchmarks.md', 'docs/scaling.md']

const linesOf = (document: string): string[] => readFileSync(join(root, document), 'utf8').trimEnd().split('\n')

/** The lines, from 1, that are prose and too long: neither code nor a row of a table nor what stands in a comment. */
function longLines(document: string): number[] {
  const code = new Set(read(document).blocks.flatMap((block) => [...block.code, ...block.marks.given].map(({ line }) => line)))
  return linesOf(document).flatMap((text, index) => (text.length > MAX_COLUMNS && !text.trimStart().startsWith('|') && !code.has(index + 1) ? [index + 1] : []))
}

test('README is read in one go', () => {
  expect(linesOf('README.md').length).toBeLessThanOrEqual(MAX_LINES)
})

test.each(documents.filter((each) => !SPARED.includes(each)))(`no line of prose in %s is longer than ${MAX_COLUMNS} characters`, (document) => {
  expect(longLines(document)).toEqual([])
})
