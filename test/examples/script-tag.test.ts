/** The script tag: a static page in Chromium, without a build step. */

import type { Page } from 'playwright'
import { expect, test } from 'vitest'
import { isInstalled, launchBrowser } from '../../e2e/browsers.ts'
import { copyExample, startExample } from './example.ts'

const barOf = (page: Page) => page.locator('progress').evaluate((bar: HTMLProgressElement) => bar.value)

test.skipIf(!isInstalled('chromium'))('script-tag', { timeout: 120_000 }, async ({ onTestFinished }) => {
  const example = await startExample(copyExample('script-tag', onTestFinished), onTestFinished)
  expect((await fetch(`${example.origin}/jobs`, { method: 'POST', body: '{}' })).status).toBe(401)
  const browser = await launchBrowser('chromium')
  onTestFinished(() => browser.close())
  const page = await browser.newPage()
  const complaints: string[] = []
  page.on('pageerror', (error) => complaints.push(String(error)))

  await page.goto(example.origin)
  await page.getByRole('button', { name: 'Make a report' }).click()
  await page.getByText('Sign in first.').waitFor()
  page.on('console', (message) => ['warning', 'error'].includes(message.type()) && complaints.push(message.text()))
  await page.getByRole('button', { name: 'Sign in' }).click()

  await page.getByRole('button', { name: 'Make a report' }).click()
  await expect.poll(() => barOf(page), { timeout: 20_000 }).toBeGreaterThan(0)
  await page.reload()
  await page.getByRole('link', { name: 'Download' }).waitFor()
  expect(await barOf(page)).toBe(1)

  await page.getByRole('button', { name: 'Make a report' }).click()
  await page.getByRole('button', { name: 'Cancel' }).click()
  await page.getByText('cancelled', { exact: true }).waitFor()

  // A deploy: the job that the page follows ends first.
  await page.getByRole('button', { name: 'Make a report' }).click()
  await expect.poll(() => barOf(page), { timeout: 20_000 }).toBeGreaterThan(0)
  const code = example.terminate()
  await page.getByRole('link', { name: 'Download' }).waitFor()
  expect(await code, example.said()).toBe(0)
  expect(complaints).toEqual([])
})
