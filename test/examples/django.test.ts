/** The page of Django: its form starts a job, its elements show it, and the job is cancelled with Django's CSRF token. */

import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { isInstalled, launchBrowser } from '../../e2e/browsers.ts'
import type { JobProgressElement } from '../../src/element.ts'
import { root } from '../package/tarball.ts'
import { freePort } from '../server/redis-server.ts'
import { celery } from '../setup/peers.ts'
import { answers, copyFolder, folderOf, startCommand } from './example.ts'

const python = celery.find()
const EVENTUALLY = { timeout: 20_000 }

test.each(['jobs.py', 'report.py'])('%s is that of the server in Python', (file) => {
  const [own, other] = ['django', 'python'].map((name) => readFileSync(join(folderOf(name), file), 'utf8'))
  expect(own).toBe(other)
})

test.skipIf(!python || !isInstalled('chromium'))('django', { timeout: 120_000 }, async ({ onTestFinished }) => {
  const port = await freePort()
  const example = startCommand(`exec ${python} app.py`, copyFolder('django', onTestFinished), onTestFinished, { PORT: `${port}` })
  const origin = `http://127.0.0.1:${port}`
  await answers(origin, example)
  const browser = await launchBrowser('chromium')
  onTestFinished(() => browser.close())
  const page = await browser.newPage()
  const complaints: string[] = []
  page.on('pageerror', (error) => complaints.push(String(error)))
  page.on('console', (message) => message.type() === 'error' && complaints.push(message.text()))
  await page.route('https://cdn.jsdelivr.net/npm/jobtail@0.1.0/**', (route) =>
    route.fulfill({
      contentType: 'text/javascript',
      body: readFileSync(join(root, new URL(route.request().url()).pathname.replace('/npm/jobtail@0.1.0/', '')), 'utf8')
    })
  )
  const job = page.locator('job-progress[label=Report]')
  const statusOf = () => job.getAttribute('status')

  await page.goto(origin)
  await page.getByText('Nothing is running.').waitFor()
  await page.getByRole('button', { name: 'Make a report' }).click()
  await expect.poll(() => job.getAttribute('value').then(Number), EVENTUALLY).toBeGreaterThan(0)
  await expect.poll(() => page.locator('job-list').getAttribute('count'), EVENTUALLY).toBe('1')
  await page.getByRole('link', { name: 'Download' }).waitFor()
  expect(await statusOf()).toBe('succeeded')
  await page.getByText('Nothing is running.').waitFor()

  await page.getByRole('button', { name: 'Make a report' }).click()
  await expect.poll(statusOf, EVENTUALLY).toBe('running')
  await job.getByRole('button', { name: 'Cancel' }).click()
  await expect.poll(statusOf, EVENTUALLY).toBe('cancelled')
  const id = await job.getAttribute('job')
  expect((await fetch(`${origin}/jobs/${id}`)).status).toBe(403) // another visitor
  expect((await page.request.post(`${origin}/jobs/${id}/cancel`)).status()).toBe(403) // without the token

  expect(complaints).toEqual([])

  // A deploy: the job that the page follows ends first.
  await page.getByRole('button', { name: 'Make a report' }).click()
  await expect.poll(() => job.evaluate((element) => (element as JobProgressElement).state?.connection.transport), EVENTUALLY).toBe('sse') // as: it is one
  const code = example.terminate()
  await page.getByRole('link', { name: 'Download' }).waitFor()
  expect(await code, example.said()).toBe(0)
})
