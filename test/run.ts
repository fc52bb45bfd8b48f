/** `npm test`: installs what the tests need, runs everything, and prints a summary. */

import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { delimiter, join, relative } from 'node:path'
import { startWebKit } from '../e2e/webkit.ts'
import { type BrowserName, startableBrowser, useBrowser } from './setup/browsers.ts'
import { installBrowser, installGo, installPeers, installProxies, installRedis, installRuntime, installWebKit, succeeds } from './setup/install.ts'
import { celery, langGraph, nchan } from './setup/peers.ts'
import { findProxy, knownProxies } from './setup/proxies.ts'
import { findRedis } from './setup/redis.ts'
import { findRuntime } from './setup/runtimes.ts'
import { findToolchain } from './setup/toolchains.ts'
import { findWebKit, useNoWebKit } from './setup/webkit.ts'

const root = join(import.meta.dirname, '..')
process.chdir(root)
process.env.PATH = [join(root, 'node_modules/.bin'), process.env.PATH].join(delimiter)

const totals = { passed: 0, failed: 0, skipped: 0 }
const failures: string[] = []
const leftOut: string[] = []

const step = (name: string, command: string, ...args: string[]): void => {
  if (!succeeds(command, args)) failures.push(name)
}

/** The part of vitest's JSON report that is used. */
interface Report {
  numPassedTests: number
  numPendingTests: number
  numTodoTests: number
  testResults: { name: string; status: string; message: string; assertionResults: { status: string; fullName: string; failureMessages: string[] }[] }[]
}

/** Every failed test and every file that could not be loaded, with the first line of why: a log may be cut to its end. */
function failedIn({ testResults }: Report): string[] {
  return testResults.flatMap(({ name, status, message, assertionResults }) => {
    const tests = assertionResults.filter((test) => test.status === 'failed').map((test) => ({ title: test.fullName, why: test.failureMessages[0] }))
    const broken = status === 'failed' && tests.length === 0 ? [{ title: 'could not be run', why: message }] : []
    return [...tests, ...broken].map(({ title, why = '' }) => `${relative(root, name)}: ${title}: ${why.split('\n')[0]}`)
  })
}

/** Runs one vitest project and adds up its tests. The projects run one after the other: two cores are too few for browsers beside unit tests. */
function testProject(name: string): void {
  const folder = mkdtempSync(join(tmpdir(), 'jobtail-test-'))
  const reportPath = join(folder, 'report.json')
  step(`tests: ${name}`, 'vitest', 'run', '--project', name, '--reporter=default', '--reporter=json', `--outputFile.json=${reportPath}`)
  try {
    const report: Report = JSON.parse(readFileSync(reportPath, 'utf8'))
    const failed = failedIn(report)
    failures.push(...failed)
    totals.passed += report.numPassedTests
    totals.failed += failed.length
    totals.skipped += report.numPendingTests + report.numTodoTests
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

async function webKit(): Promise<void> {
  if (!findWebKit()) installWebKit()
  try {
    const engine = await startWebKit()
    await engine.close()
    console.log(`webkit: ${engine.version}, ${findWebKit()?.driver}`)
  } catch (error) {
    useNoWebKit()
    console.log(`webkit: none (${error instanceof Error ? error.message : error})`)
    leftOut.push(
      'everything in WebKit: it is not installed or does not start. Install webkit2gtk-driver and xvfb, or say where WebKitWebDriver is in WEBKIT_DRIVER_PATH'
    )
  }
}

function proxies(): void {
  const wanted = [
    ['haproxy', 'deploys behind HAProxy'],
    ['nginx', 'everything behind nginx'],
    ['tinyproxy', 'the command line behind a proxy'],
    ['squid', 'the command line behind a proxy that lets no WebSocket through']
  ] as const
  installProxies(wanted.map(([name]) => name))
  for (const [name, what] of wanted) {
    const path = findProxy(name)
    console.log(`${name}: ${path ?? 'none'}`)
    if (!path) leftOut.push(`${what}: none is installed. Install ${name}, or say where it is in ${knownProxies[name].variable}`)
  }
}

function redis(): void {
  if (!findRedis()) installRedis()
  console.log(`redis: ${findRedis() ?? 'none'}`)
  if (!findRedis()) leftOut.push('everything on a real Redis: none is installed. Install redis-server, or say where it is in REDIS_SERVER_PATH')
}

function toolchains(): void {
  if (!findToolchain('go')) installGo()
  for (const language of ['python', 'go'] as const) {
    const path = findToolchain(language)
    console.log(`${language}: ${path ?? 'none'}`)
    if (!path) leftOut.push(`the example server in ${language}: install ${language}, or say where it is in ${language.toUpperCase()}_PATH`)
  }
}

function runtimes(): void {
  for (const name of ['bun', 'deno'] as const) {
    installRuntime(name)
    const path = findRuntime(name)
    console.log(`${name}: ${path ?? 'none'}`)
    if (!path)
      leftOut.push(`the server on ${name}: none is installed, and installing it failed. Install ${name}, or say where it is in ${name.toUpperCase()}_PATH`)
  }
}

function peers(): void {
  installPeers([nchan, celery, langGraph])
  for (const { name, packages, npm, find } of [nchan, celery, langGraph]) {
    const path = find()
    console.log(`${name}: ${path ?? 'none'}`)
    if (!path) leftOut.push(`a backend against ${name}: it is not installed. Install ${(packages ?? npm?.packages ?? []).join(', ')}`)
  }
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
await webKit()
proxies()
redis()
toolchains()
runtimes()
peers()
step('lint', 'biome', 'check')
step('types: client', 'tsc', '-p', 'tsconfig.json', '--noEmit')
step('types: server', 'tsc', '-p', 'src/server/tsconfig.json', '--noEmit')
step('types: testing', 'tsc', '-p', 'src/testing/tsconfig.json', '--noEmit')
step('types: command line', 'tsc', '-p', 'src/cli/tsconfig.json', '--noEmit')
step('types: tests, demo, bench', 'tsc', '-p', 'test/tsconfig.json')
step('build', 'npm', 'run', 'build')
testProject('unit')
testProject('package')
if (found.length === 0) failures.push('no browser: install Chromium, Chrome or Firefox')
else {
  testProject('browser*')
  testProject('bindings*')
  testProject('e2e')
}
summary()
