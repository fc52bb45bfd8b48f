/** React and Vue with Vite: the page that `vite build` makes, in Chromium. */

import { describe, expect, test } from 'vitest'
import { isInstalled, launchBrowser } from '../../e2e/browsers.ts'
import { copyExample, manifestOf, startCommand, startExample } from './example.ts'

describe.skipIf(!isInstalled('chromium')).each(['react', 'vue'])('%s', (name) => {
  test('starts, shows, finds again, cancels', { timeout: 120_000 }, async ({ onTestFinished }) => {
    const folder = copyExample(name, onTestFinished)
    const build = startCommand(`exec ${manifestOf(name).scripts.build}`, folder, onTestFinished)
    expect(await build.exited, build.said()).toBe(0)
    expect(build.said()).not.toMatch(/warn/i)
    const example = await startExample(folder, onTestFinished)
    const browser = await launchBrowser('chromium')
    onTestFinished(() => browser.close())
    const page = await browser.newPage()
    const complaints: string[] = []
    page.on('pageerror', (error) => complaints.push(String(error)))
    const press = (name: string): Promise<void> => page.getByRole('button', { name }).click()

    await page.goto(example.origin)
    await press('Make a report')
    await page.getByText('Sign in first.').waitFor()
    page.on('console', (message) => ['warning', 'error'].includes(message.type()) && complaints.push(message.text()))
    await press('Sign in')

    // A reload in the middle of a job finds it again: nothing but the browser's own list knows of it.
    await press('Make a report')
    const bar = page.getByRole('progressbar')
    const barValue = () => bar.evaluate((element: HTMLProgressElement) => element.value)
    await expect.poll(barValue, { timeout: 20_000 }).toBeGreaterThan(0)
    await page.reload()
    expect(new URL(page.url()).search).toBe('')
    await page.getByText('running', { exact: true }).waitFor()
    await page.getByRole('link', { name: 'Download' }).waitFor()
    expect(await barValue()).toBe(1)

    // A cancel ends the work. What has ended is not found again.
    await press('Make a report')
    await press('Cancel')
    await page.getByText('cancelled', { exact: true }).waitFor()
    await page.reload()
    await page.getByRole('button', { name: 'Make a report' }).waitFor()
    expect(await bar.count()).toBe(0)

    // A deploy: the job that the page follows ends first.
    await press('Make a report')
    await expect.poll(barValue, { timeout: 20_000 }).toBeGreaterThan(0)
    const code = example.terminate()
    await page.getByRole('link', { name: 'Download' }).waitFor()
    expect(await code, example.said()).toBe(0)
    expect(complaints).toEqual([])
  })
})
