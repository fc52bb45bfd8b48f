/** The elements as a page gets them: by script tag, under a strict content-security policy, in each engine; what people with a screen reader get of them. */

import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import type { AxeResults } from 'axe-core'
import type { Browser, Page } from 'playwright'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { isInstalled, launchBrowser } from '../../e2e/browsers.ts'
import { installedEngines, startEngine } from '../../e2e/engines.ts'
import { read } from '../docs/documents.ts'
import { type ElementSite, startElementSite } from './element-page.ts'

declare global {
  interface Window {
    axe: { run(): Promise<AxeResults> }
  }
}

const axe = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8')

/** A job in each state. */
const STATES: Readonly<Record<string, readonly (readonly [type: string, data?: unknown])[]>> = {
  queued: [['queued', { position: 3 }]],
  counting: [['progress', { stage: 'Counting rows', current: 1200, unit: 'rows' }]],
  running: [['progress', { ratio: 0.42, message: 'Rendering page 42 of 100' }]],
  done: [
    ['progress', { ratio: 1 }],
    ['succeeded', { url: '/report.pdf' }]
  ],
  failed: [
    ['progress', { ratio: 0.7 }],
    ['failed', { code: 'disk', message: 'The disk is full.' }]
  ],
  cancelled: [
    ['progress', { ratio: 0.2 }],
    ['cancelled', {}]
  ]
}

const guide =
  read('docs/guides/element.md')
    .blocks.find(({ marks }) => marks.run === 'element-page')
    ?.code.map(({ text }) => text)
    .join('\n') ?? ''

const bar = (job: string): string => `<job-progress job="${job}" label="Report ${job}"><a slot="result" href="/report.pdf">Download</a></job-progress>`

let site: ElementSite

beforeAll(async () => {
  site = await startElementSite({
    '/states': `${Object.keys(STATES).map(bar).join('')}<job-list></job-list>`,
    '/one': '<job-progress job="running" label="Report"><progress value="0.3"></progress></job-progress>',
    '/guide': guide.replaceAll('42', 'running').replaceAll(/https:.*\/dist/g, ''),
    '/backend': '<job-progress job="running" label="Report" backend="jobtail-snapshot"></job-progress>',
    '/elsewhere': '<p>Elsewhere</p>'
  })
  for (const [job, events] of Object.entries(STATES)) for (const [type, data] of events) await site.jobs.publish(job, type, data)
})
afterAll(() => site.close())

/** What the element has in its shadow tree, as an expression for the page. */
const text = (part: string): string => `document.querySelector('job-progress').shadowRoot?.querySelector('[part=${part}]').textContent`

// Firefox: the tests of test/bindings.
describe.each(installedEngines().filter((name) => name !== 'firefox'))('%s', (name) => {
  test('follows a job, leaves it with the page, and goes on when the page is back', async ({ onTestFinished }) => {
    const engine = await startEngine(name)
    onTestFinished(() => engine.close())
    const tab = await engine.open(`${site.url}/one`)
    const width = `document.querySelector('job-progress').shadowRoot.querySelector('[part=fill]').style.inlineSize`
    await expect
      .poll(() => tab.evaluate(`[${text('value')}, ${text('stage')}, ${width}]`), { timeout: 20_000 })
      .toEqual(['42%', 'Rendering page 42 of 100', '42%'])
    expect(await tab.evaluate(`document.querySelector('progress').checkVisibility()`)).toBe(false)
    await tab.goto(`${site.url}/elsewhere`)
    await expect.poll(site.open, { timeout: 20_000 }).toBe(0)
    await tab.back()
    await expect.poll(() => tab.evaluate(text('value')).catch(() => undefined), { timeout: 20_000 }).toBe('42%')
    await tab.close()
    await expect.poll(site.open, { timeout: 20_000 }).toBe(0)
  })
})

describe.skipIf(!isInstalled('chromium'))('in Chromium', () => {
  let browser: Browser
  beforeAll(async () => {
    browser = await launchBrowser('chromium')
  })
  afterAll(() => browser.close())

  /** A page, and what it complains of: violations of its policy are among that. */
  async function open(path: string, onFinished: (stop: () => Promise<void>) => void): Promise<{ page: Page; complaints: string[] }> {
    const page = await browser.newPage()
    onFinished(() => page.close())
    const complaints: string[] = []
    page.on('pageerror', (error) => complaints.push(String(error)))
    page.on('console', (message) => ['warning', 'error'].includes(message.type()) && complaints.push(message.text()))
    await page.goto(site.url + path, { waitUntil: 'commit' })
    return { page, complaints }
  }

  test('the page shows its own <progress> until the script is there', async ({ onTestFinished }) => {
    const { page, complaints } = await open('/one?held', onTestFinished)
    await expect.poll(() => page.locator('progress').isVisible(), { timeout: 20_000 }).toBe(true)
    site.release()
    await page.getByText('Rendering page 42 of 100', { exact: true }).waitFor()
    expect(await page.locator('progress').isVisible()).toBe(false)
    expect(complaints).toEqual([])
  })

  test('the page of the guide', async ({ onTestFinished }) => {
    const { page, complaints } = await open('/guide?bare', onTestFinished)
    await page.getByRole('progressbar', { name: 'Yearly report' }).waitFor()
    await page.getByText('Rendering page 42 of 100', { exact: true }).waitFor()
    expect(complaints).toEqual([])
  })

  test('a backend by name, out of the script that comes before or after', async ({ onTestFinished }) => {
    const { page, complaints } = await open('/backend', onTestFinished)
    await page.getByText('Rendering page 42 of 100', { exact: true }).waitFor()
    expect(complaints).toEqual([])
    expect(await page.evaluate(`Object.keys(Jobtail.backends).length`)).toBeGreaterThan(15)
  })

  test('axe finds nothing: each state and the list, light, dark and in forced colours, wide and narrow, in both directions', async ({ onTestFinished }) => {
    for (const [query, width, colorScheme, forcedColors] of [
      ['', 1200, 'light', 'none'],
      ['?rtl', 360, 'dark', 'none'],
      ['', 360, 'dark', 'active']
    ] as const) {
      const { page, complaints } = await open(`/states${query}`, onTestFinished)
      await page.setViewportSize({ width, height: 800 })
      await page.emulateMedia({ colorScheme, forcedColors })
      await expect.poll(() => page.locator('job-list').getAttribute('count'), { timeout: 20_000 }).toBe('3')
      await page.getByText('Waiting, was number 3', { exact: true }).first().waitFor()
      expect(await page.evaluate(() => document.documentElement.scrollWidth)).toBeLessThanOrEqual(width)
      await page.evaluate(axe)
      const { violations } = await page.evaluate(() => window.axe.run())
      expect(violations.map(({ id, nodes }) => [query, width, colorScheme, forcedColors, id, ...nodes.map(({ html }) => html)])).toEqual([])
      expect(complaints).toEqual([])
    }
  })

  test('what a screen reader gets', async ({ onTestFinished }) => {
    const { page } = await open('/states', onTestFinished)
    await page.getByText('Waiting, was number 3', { exact: true }).first().waitFor()
    await page.locator('job-list').evaluate((list) => list.remove())
    const session = await page.context().newCDPSession(page)
    const { nodes } = await session.send('Accessibility.getFullAXTree')
    const told = nodes
      .filter(({ role, ignored }) => !ignored && /^(progressbar|button|link|status)$/.test(`${role?.value}`))
      .map(({ role, name, description, value, childIds }) => {
        const heard = role?.value === 'status' ? nodes.filter(({ nodeId }) => childIds?.includes(nodeId)).map((child) => child.name?.value) : []
        return [role?.value, name?.value || heard.join(), description?.value ?? '', value?.value]
          .filter((each) => each !== undefined && each !== '')
          .join(' | ')
      })
    expect(told).toEqual([
      'progressbar | Report queued | Waiting, was number 3',
      'button | Cancel | Report queued',
      'status | Report queued, Waiting',
      'progressbar | Report counting | Counting rows',
      'button | Cancel | Report counting',
      'status | Report counting, Counting rows, 1,200 rows',
      'progressbar | Report running | Rendering page 42 of 100 | 42',
      'button | Cancel | Report running',
      'status | Report running, Rendering page 42 of 100, 42%',
      'progressbar | Report done | Done | 100',
      'status', // the job had ended before the page was there
      'progressbar | Report failed | Failed | 70',
      'status',
      'progressbar | Report cancelled | Cancelled | 20',
      'status',
      'link | Download'
    ])
  })
})
