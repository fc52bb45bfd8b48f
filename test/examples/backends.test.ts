/** Servers that know nothing of Jobtail, and pages that follow them by jobtail/backends, in Chromium. */

import { spawnSync } from 'node:child_process'
import { mkdirSync } from 'node:fs'
import { delimiter, dirname, join } from 'node:path'
import type { Page } from 'playwright'
import { expect, type TestContext, test } from 'vitest'
import { isInstalled, launchBrowser } from '../../e2e/browsers.ts'
import { python } from '../backends/python.ts'
import { redisPath, startRedis } from '../server/redis-server.ts'
import { copyExample, manifestOf, type OnFinished, startCommand, startExample } from './example.ts'

const TEST_MS = 180_000
/** Turbopack follows no links out of the folder whose lockfile it finds: so the copy is below the repository. */
const copies = join(import.meta.dirname, '.copies')
const hasBrowser = isInstalled('chromium')

/** A copy of the example, built by its own script. */
async function builtExample(name: string, onFinished: OnFinished, env: NodeJS.ProcessEnv = {}, parent?: string): Promise<string> {
  const folder = copyExample(name, onFinished, ...(parent === undefined ? [] : [parent]))
  const build = startCommand(manifestOf(name).scripts.build ?? '', folder, onFinished, env)
  expect(await build.exited, build.said()).toBe(0)
  return folder
}

/** A page, and what it complains of. */
async function openPage(url: string, { onTestFinished }: TestContext): Promise<{ page: Page; complaints: string[] }> {
  const browser = await launchBrowser('chromium')
  onTestFinished(() => browser.close())
  const page = await browser.newPage()
  const complaints: string[] = []
  page.on('pageerror', (error) => complaints.push(String(error)))
  page.on('console', (message) => {
    const isOurs = !message.location().url.endsWith('/favicon.ico') // an example may have none
    if (isOurs && ['warning', 'error'].includes(message.type())) complaints.push(message.text())
  })
  await page.goto(url)
  return { page, complaints }
}

const barOf = (page: Page): Promise<number> => page.locator('progress').evaluate((bar: HTMLProgressElement) => bar.value)

async function remote(onFinished: OnFinished): Promise<{ REDIS_URL: string }> {
  const redis = await startRedis()
  onFinished(() => redis.remove())
  return { REDIS_URL: redis.url }
}

test.skipIf(!hasBrowser)('status-endpoint', { timeout: TEST_MS }, async (context) => {
  const { onTestFinished } = context
  const example = await startExample(await builtExample('status-endpoint', onTestFinished), onTestFinished)
  const { page, complaints } = await openPage(example.origin, context)
  await page.getByRole('button', { name: 'Export' }).click()
  await expect.poll(() => barOf(page), { timeout: 20_000 }).toBeGreaterThan(0)
  await page.reload()
  await page.getByRole('link', { name: 'Download' }).waitFor()
  expect(await barOf(page)).toBe(1)
  await page.getByRole('button', { name: 'Export' }).click()
  await page.getByText('waiting').waitFor()
  await page.getByRole('button', { name: 'Stop' }).click()
  await page.getByText('stopped by its owner').waitFor()
  expect(complaints).toEqual([])
  expect(await example.terminate(), example.said()).toBe(0)
})

test.skipIf(!hasBrowser || python === undefined)('celery', { timeout: TEST_MS }, async (context) => {
  const { onTestFinished } = context
  const command = python ?? 'python3'
  // The package itself, where this machine has it. Debian does not.
  const isReal = spawnSync(command, ['-c', 'import celery_progress']).status === 0
  const env = {
    ...(await remote(onTestFinished)),
    PATH: [dirname(command), process.env.PATH].join(delimiter),
    PYTHONDONTWRITEBYTECODE: '1',
    ...(!isReal && { PYTHONPATH: import.meta.dirname })
  }
  const folder = await builtExample('celery', onTestFinished)
  startCommand(`exec ${manifestOf('celery').scripts.worker}`, folder, onTestFinished, env)
  const example = await startExample(folder, onTestFinished, { env })
  const { page, complaints } = await openPage(example.origin, context)
  await page.getByRole('button', { name: 'Make a report' }).click()
  await expect.poll(() => barOf(page), { timeout: 30_000 }).toBeGreaterThan(0)
  expect(await page.locator('#message').textContent()).toMatch(/^Sales: page \d+$/)
  await page.reload()
  await page.getByRole('link', { name: 'Download' }).waitFor()
  expect(await barOf(page)).toBe(1)
  expect(complaints).toEqual([])
})

test.skipIf(!hasBrowser || redisPath === undefined)('ai-sdk-next', { timeout: TEST_MS }, async (context) => {
  const { onTestFinished } = context
  mkdirSync(copies, { recursive: true })
  const env = { ...(await remote(onTestFinished)), NEXT_TELEMETRY_DISABLED: '1' }
  const example = await startExample(await builtExample('ai-sdk-next', onTestFinished, env, copies), onTestFinished, { env })
  const { page, complaints } = await openPage(example.origin, context)
  await page.getByRole('textbox').fill('Does it take long?')
  await page.getByRole('button', { name: 'Ask' }).click()
  await page.getByText('Long answers').waitFor()
  await page.reload()
  await page.getByText('complete').waitFor()
  const answer = 'Long answers take a while . You may reload this page meanwhile : it goes on where the answer is .'
  expect(await page.locator('section p').textContent()).toBe(answer)
  // After its end the answer is the chat's own.
  await page.reload()
  await page.getByText('complete').waitFor()
  expect(await page.locator('section p').textContent()).toBe(answer)
  expect(complaints).toEqual([])
})
