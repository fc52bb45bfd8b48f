/** What all examples share: a README to begin with, listings one can read, and versions that are tested. */

import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { root } from '../package/tarball.ts'
import { copyExample, folderOf, manifestOf, nodeExamples, startCommand } from './example.ts'

const MAX_LINES = 200
const MAX_WIDTH = 160
const README_LINES = [6, 14] as const

const examples = readdirSync(join(root, 'examples'), { withFileTypes: true })
  .filter((entry) => entry.isDirectory())
  .map(({ name }) => name)
const linesOf = (path: string): string[] => readFileSync(path, 'utf8').trimEnd().split('\n')

test('the table of all examples links to each', () => {
  const table = readFileSync(join(root, 'examples/README.md'), 'utf8')
  expect([...table.matchAll(/\]\(([\w-]+)\/\)/g)].map(([, name]) => name).sort()).toEqual(examples.sort())
})

describe.each(examples)('%s', (name) => {
  const files = readdirSync(folderOf(name), { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile())

  test('has a README of about ten lines, and no long file', () => {
    const readme = linesOf(join(folderOf(name), 'README.md'))
    expect(readme.length).toBeGreaterThanOrEqual(README_LINES[0])
    expect(readme.length).toBeLessThanOrEqual(README_LINES[1])
    expect(readme.filter((line) => line.length > MAX_WIDTH)).toEqual([])
    const long = files.filter((file) => linesOf(join(file.parentPath, file.name)).length > MAX_LINES)
    expect(long.map((file) => file.name)).toEqual([])
  })
})

test.for(nodeExamples())('%s asks for the versions that are tested here', (name) => {
  const { devDependencies: ours, dependencies, version } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'))
  const manifest = manifestOf(name)
  expect(manifest.private).toBe(true)
  for (const [each, range] of Object.entries({ ...manifest.dependencies, ...manifest.devDependencies })) {
    const tested: string = each === 'jobtail' ? version : (ours[each] ?? dependencies[each])
    expect(range, each).toBe(`^${tested.replace(/^\^/, '')}`)
  }
})

test.for(nodeExamples())('%s is type-checked as it stands', async (name, { onTestFinished }) => {
  const folder = copyExample(name, onTestFinished)
  const { exited, said } = startCommand(`exec ${manifestOf(name).scripts.typecheck}`, folder, onTestFinished)
  expect(await exited, said()).toBe(0)
})
