/** Next: a page is rendered on the server, starts a job, and shows its progress, in Chromium. */

import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { isInstalled, launchBrowser } from '../../e2e/browsers.ts'
import { createClient, sse } from '../../src/index.ts'
import { copyExample, manifestOf, startCommand, startExample } from './example.ts'

const TEST_MS = 180_000
/** Turbopack follows no links out of the folder whose lockfile it finds: so the copy is below the repository. */
const copies = join(import.meta.dirname, '.copies')
const QUIET = { NEXT_TELEMETRY_DISABLED: '1' }
const COOKIE = 'session=ada-session'

test.skipIf(!isInstalled('chromium'))('next', { timeout: TEST_MS }, async ({ onTestFinished }) => {
  mkdirSync(copies, { recursive: true })
  const folder = copyExample('next', onTestFinished, copies)
  const build = startCommand(`exec ${manifestOf('next').scripts.build}`, folder, onTestFinished, QUIET)
  expect(await build.exited, build.said()).toBe(0)
  const example = await startExample(folder, onTestFinished, { env: QUIET })
  const url = `${example.origin}/jobs`
  expect((await fetch(url, { method: 'POST', body: '{}' })).status).toBe(401)

  const browser = await launchBrowser('chromium')
  onTestFinished(() => browser.close())
  const page = await browser.newPage()
  const complaints: string[] = []
  page.on('console', (message) => {
    const isOurs = !message.location().url.endsWith('/favicon.ico') // the example has none
    if (isOurs && ['warning', 'error'].includes(message.type())) complaints.push(message.text())
  })
  page.on('pageerror', (error) => complaints.push(String(error)))
  await page.goto(example.origin)
  await page.getByRole('button', { name: 'Sign in' }).click()
  await page.getByRole('button', { name: 'Make a report' }).click()
  await page.getByRole('link', { name: 'Download' }).waitFor()
  expect(await page.locator('progress').evaluate((bar: HTMLProgressElement) => [bar.value, bar.position])).toEqual([1, 1])

  // A reload goes on with the job of the address. The server renders what it knows of it, to its owner alone.
  const rendered = async (cookie: string): Promise<string> => (await fetch(page.url(), { headers: { cookie } })).text()
  expect(await rendered(COOKIE)).toMatch(/<progress max="1" value="1" aria-label="The report">.*<output>succeeded<.*Download/)
  expect(await rendered('session=bob-session')).toContain('<output>unknown<')
  await page.reload()
  await page.getByRole('link', { name: 'Download' }).waitFor()

  // A cancel ends the work.
  await page.getByRole('button', { name: 'Make a report' }).click()
  await page.getByRole('button', { name: 'Cancel' }).click()
  await page.getByText('cancelled', { exact: true }).waitFor()
  expect(complaints).toEqual([])
  await browser.close()

  // Next waits for the job that a request has started. It says 143, which is 128 + SIGTERM, where others say 0.
  const client = createClient({ url, headers: { cookie: COOKIE }, transports: [sse()], memory: false })
  onTestFinished(() => client.close())
  let code: Promise<number | null> | undefined
  const job = await client.start({ title: 'Last', pages: 5 })
  for await (const { type } of job) if (type === 'progress') code ??= example.terminate()
  expect(await job.result).toMatchObject({ url: expect.stringContaining('/reports/ada.') })
  expect(await code).toBe(143)
  expect(example.said()).not.toMatch(/⚠|⨯|error|warn/i)
})
