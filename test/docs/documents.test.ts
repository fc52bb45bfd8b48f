/** Everything that the documents show: programs compile, configurations are taken, what is run does what is said. */

import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { beforeAll, describe, expect, test } from 'vitest'
import type { Problem } from './blocks.ts'
import { compile } from './compile.ts'
import { canCheck, complaintOf } from './configurations.ts'
import { documents, read } from './documents.ts'
import { programsOf } from './programs.ts'
import { inBrowsers, packaged, runners } from './runners.ts'

/** What somebody reads before they decide. */
const README_LINES = 200
/** Several processes start side by side. */
const RUN_MS = 120_000

const all = documents.map((document) => ({ document, ...read(document) }))
const blocks = all.flatMap((each) => each.blocks)
const place = ({ document, line }: { document: string; line: number }): string => `${document}:${line}`

describe('code', () => {
  let compiled: Problem[] = []
  beforeAll(async () => {
    compiled = await compile(all.flatMap((each) => programsOf(each.blocks)))
  }, 120_000)

  test.each(all)('of $document compiles', ({ document, problems }) => {
    const found = [...problems, ...compiled.filter((each) => each.document === document)]
    expect(found.map((each) => `${place(each)}: ${each.message}`).join('\n')).toBe('')
  })

  test('is all of what the compiler speaks of', () => {
    expect(compiled.filter(({ document }) => !documents.includes(document))).toEqual([])
  })
})

describe('JSON', () => {
  const found = blocks.filter(({ language, marks }) => language === 'json' && !marks.check)
  test('parses', () => {
    for (const { code, ...block } of found) expect(() => JSON.parse(code.map(({ text }) => text).join('\n')), place(block)).not.toThrow()
  })
})

describe('configurations', () => {
  for (const block of blocks) {
    const { check } = block.marks
    if (check === undefined) continue
    // A program that is not installed can't say anything; one that is not known fails.
    test.concurrent(`${check} takes what is at ${place(block)}`, async ({ expect }) => {
      expect(await complaintOf(check, block.code.map(({ text }) => text).join('\n'))).toBeUndefined()
    })
  }

  test.each(['nginx', 'haproxy', 'caddy', 'apache'])('%s refuses what is none', async (name) => {
    expect(await complaintOf(name, 'nonsense here;')).toEqual(canCheck(name) ? expect.stringMatching(/nonsense|here/) : undefined)
  })
})

describe('programs', () => {
  const named = blocks.flatMap((block) => (block.marks.run === undefined ? [] : [{ name: block.marks.run, block }]))

  test('each has a runner, and each runner a program', () => {
    expect(named.map(({ name }) => name).sort()).toEqual([...Object.keys(runners), ...packaged, ...inBrowsers].sort())
  })

  for (const { name, block } of named) {
    const run = runners[name]
    if (run) test.concurrent(`${name}, at ${place(block)}, does what it says`, { timeout: RUN_MS }, () => run(block))
  }
})

test(`README has no more than ${README_LINES} lines`, () => {
  expect(
    readFileSync(join(import.meta.dirname, '../../README.md'), 'utf8')
      .trimEnd()
      .split('\n').length
  ).toBeLessThanOrEqual(README_LINES)
})
