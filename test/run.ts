/** `npm test`: sets up what the tests need, runs everything, and says at the end what it came to. */

import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { delimiter, join } from 'node:path'
import { type BrowserName, startableBrowser, useBrowser } from './setup/browsers.ts'
import { installBrowser, succeeds } from './setup/install.ts'

const root = join(import.meta.dirname, '..')
process.chdir(root)
process.env.PATH = [join(root, 'node_modules/.bin'), process.env.PATH].join(delimiter)

const totals = { passed: 0, failed: 0, skipped: 0 }
const failures: string[] = []
const leftOut: string[] = []

const step = (name: string, command: string, ...args: string[]): void => {
  if (!succeeds(command, args)) failures.push(name)
}

/** Runs one vitest project and adds up its tests. The projects run one after the other: two cores are soon too few for browsers beside unit tests. */
function testProject(name: string): void {
  const folder = mkdtempSync(join(tmpdir(), 'jobtail-test-'))
  const report = join(folder, 'report.json')
  step(`tests: ${name}`, 'vitest', 'run', '--project', name, '--reporter=default', '--reporter=json', `--outputFile.json=${report}`)
  try {
    const result: { numPassedTests: number; numFailedTests: number; numPendingTests: number; numTodoTests: number } = JSON.parse(readFileSync(report, 'utf8'))
    totals.passed += result.numPassedTests
    totals.failed += result.numFailedTests
    totals.skipped += result.numPendingTests + result.numTodoTests
  } catch (error) {
    failures.push(`tests: ${name}: no report (${error instanceof Error ? error.message : error})`)
  }
  rmSync(folder, { recursive: true, force: true })
}

async function browsers(): Promise<BrowserName[]> {
  const found: BrowserName[] = []
  for (const name of ['chromium', 'firefox'] as const) {
    const path = (await startableBrowser(name)) ?? (await installBrowser(name))
    useBrowser(name, path)
    console.log(`${name}: ${path ?? 'none'}`)
    if (path) found.push(name)
    else leftOut.push(`everything in ${name}: none is installed, and installing it failed. Install ${name}, or say where it is in ${name.toUpperCase()}_PATH`)
  }
  return found
}

function summary(): void {
  console.log(`\n${'-'.repeat(60)}`)
  for (const each of leftOut) console.log(`left out: ${each}`)
  for (const each of failures) console.log(`failed: ${each}`)
  const failed = failures.length > 0 || totals.failed > 0 || (leftOut.length > 0 && process.env.CI === 'true')
  if (failed) process.exitCode = 1
  console.log(failed ? 'npm test: failed' : 'npm test: passed')
  console.log(`${totals.passed} passed, ${totals.failed} failed${totals.skipped > 0 ? `, ${totals.skipped} skipped` : ''}`)
}

const found = await browsers()
step('lint', 'biome', 'check')
step('types: client', 'tsc', '-p', 'tsconfig.json', '--noEmit')
step('types: server', 'tsc', '-p', 'src/server/tsconfig.json', '--noEmit')
step('types: tests, demo, bench', 'tsc', '-p', 'test/tsconfig.json')
step('build', 'npm', 'run', 'build')
testProject('unit')
testProject('package')
if (found.length === 0) failures.push('no browser: install Chromium, Chrome or Firefox')
else {
  testProject('browser*')
  testProject('e2e')
}
summary()
