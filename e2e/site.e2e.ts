/** The documentation's site, built as it is published, in a real browser. */

import { execFile } from 'node:child_process'
import { globSync, readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { join } from 'node:path'
import { promisify } from 'node:util'
import type { AxeResults } from 'axe-core'
import type { Browser, BrowserContext, Page } from 'playwright'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { isInstalled, launchBrowser } from './browsers.ts'
import { undocumented } from './site-reference.ts'
import { type SiteServer, serveFolder } from './site-server.ts'

const root = join(import.meta.dirname, '..')
const dist = join(root, 'docs/.vitepress/dist')
const axe = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8')

/** Generated pages differ only in their text: `npm test` has two of them seen by axe, `npm run e2e:whole` all. */
const isForAxe = (path: string): boolean => !path.startsWith('reference/') || kinds.includes(path) || !!process.env.WHOLE

/** Every page that was built; the 404 page is nobody's destination. */
const pages = (): string[] => globSync('**/*.html', { cwd: dist }).filter((path) => path !== '404.html')
/** One of each kind: home, a start page, a guide, pictures, long tables, generated. */
const kinds = ['index.html', 'how-it-decides.html', 'protocol.html', 'benchmarks.html', 'reference/README.html', 'reference/jobtail/core.html']

const wide = { width: 1280, height: 900 }
const narrow = { width: 360, height: 740 }

/** Twice what they take beside other work; on two idle cores the build takes some 20 s. */
const patiently = { timeout: 240_000 }

beforeAll(async () => {
  // Dead links, and pages of the sidebar that are not there, fail it.
  await promisify(execFile)('npm', ['run', 'docs:build'], { cwd: root }).catch(({ stdout, stderr }) => expect.unreachable(`${stdout}${stderr}`))
}, patiently.timeout)

test('every exported name, every method and every option says what it promises', () => {
  expect(undocumented(JSON.parse(readFileSync(join(root, 'docs/reference/api.json'), 'utf8')))).toEqual([])
})

describe.runIf(isInstalled('chromium'))('the site', () => {
  let server: SiteServer
  let browser: Browser

  beforeAll(async () => {
    server = await serveFolder(dist)
    browser = await launchBrowser('chromium')
  })
  afterAll(async () => {
    await browser?.close()
    await server?.close()
  })

  async function inContext<T>(options: Parameters<Browser['newContext']>[0], use: (context: BrowserContext) => Promise<T>): Promise<T> {
    const context = await browser.newContext({ reducedMotion: 'reduce', ...options })
    try {
      return await use(context)
    } finally {
      await context.close()
    }
  }

  test.each([
    { name: 'every page, light and wide', viewport: wide, colorScheme: 'light', paths: pages },
    { name: 'a page of each kind, light and narrow', viewport: narrow, colorScheme: 'light', paths: () => kinds },
    { name: 'a page of each kind, dark and wide', viewport: wide, colorScheme: 'dark', paths: () => kinds },
    { name: 'a page of each kind, dark and narrow', viewport: narrow, colorScheme: 'dark', paths: () => kinds }
  ] as const)(
    '$name: nothing from elsewhere, no error, no missing file, no layout shift, nothing that axe finds',
    patiently,
    async ({ viewport, colorScheme, paths }) => {
      await inContext({ viewport, colorScheme }, async (context) => {
        const left = [...paths()]
        const found: Record<string, string[]> = {}
        const tab = async (): Promise<void> => {
          for (let path = left.shift(); path !== undefined; path = left.shift()) {
            const wrong = await problems(context, `${server.origin}/${path}`, isForAxe(path))
            if (wrong.length > 0) found[path] = wrong
          }
        }
        await Promise.all([tab(), tab()]) // of several tabs, each has a process of its own
        expect(found).toEqual({})
      })
    }
  )

  test('without JavaScript every page has its heading and its text', patiently, async () => {
    await inContext({ javaScriptEnabled: false, viewport: narrow }, async (context) => {
      const page = await context.newPage()
      for (const path of pages()) {
        await page.goto(`${server.origin}/${path}`)
        expect((await page.locator('main, .VPContent').first().innerText()).length, path).toBeGreaterThan(200)
        expect(await page.locator('h1').first().isVisible(), path).toBe(true)
      }
    })
  })

  test('the search finds a page, without asking anybody else', async () => {
    await inContext({ viewport: wide }, async (context) => {
      const page = await context.newPage()
      const asked = requestsOf(page)
      await page.goto(server.origin)
      await page.getByRole('button', { name: 'Search' }).click()
      await page.locator('input[type=search]').fill('staggerMs')
      await page.locator('.VPLocalSearchBox .result').first().waitFor()
      expect(await page.locator('.VPLocalSearchBox .result').allInnerTexts()).toContainEqual(expect.stringContaining('staggerMs'))
      expect(asked.filter((url) => !url.startsWith(server.origin))).toEqual([])
    })
  })
})

function requestsOf(page: Page): string[] {
  const asked: string[] = []
  page.on('request', (request) => asked.push(request.url()))
  return asked
}

/** Opens a page, and says what is wrong with how it came, with how it lies, and where axe is asked with its markup. */
async function problems(context: BrowserContext, url: string, isForAxe: boolean): Promise<string[]> {
  const page = await context.newPage()
  const wrong: string[] = []
  const { origin } = new URL(url)
  page.on('request', (request) => {
    if (!request.url().startsWith(origin)) wrong.push(`asks ${request.url()}`)
  })
  page.on('response', (response) => {
    if (response.status() >= 400) wrong.push(`${response.status()} ${response.url()}`)
  })
  page.on('console', (message) => {
    if (['error', 'warning'].includes(message.type())) wrong.push(`${message.type()}: ${message.text()}`)
  })
  page.on('pageerror', (error) => wrong.push(`throws ${error.message}`))
  await page.goto(url, { waitUntil: 'load' })
  const shift = await page.evaluate(layoutShift)
  if (shift >= 0.02) wrong.push(`layout shift of ${shift}`)
  const beyond = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth)
  if (beyond > 0) wrong.push(`wider than the window by ${beyond} px`)
  if (isForAxe) wrong.push(...(await findings(page)))
  await page.close()
  return wrong
}

/** How far the page's parts have moved since it was opened (Layout Instability, https://wicg.github.io/layout-instability/). */
async function layoutShift(): Promise<number> {
  let shift = 0
  const observer = new PerformanceObserver((list) => {
    for (const entry of list.getEntries()) shift += 'value' in entry ? Number(entry.value) : 0
  })
  observer.observe({ type: 'layout-shift', buffered: true })
  await new Promise((resolve) => requestAnimationFrame(() => setTimeout(resolve)))
  for (const entry of observer.takeRecords()) shift += 'value' in entry ? Number(entry.value) : 0
  return shift
}

async function findings(page: Page): Promise<string[]> {
  await page.evaluate(axe)
  const { violations } = await page.evaluate(async (): Promise<AxeResults> => {
    const { axe } = globalThis as unknown as { axe: typeof import('axe-core') } // as: the line before has put it there
    return axe.run(document, { resultTypes: ['violations'] })
  })
  return violations.flatMap(({ id, nodes }) => nodes.slice(0, 5).map((node) => `axe ${id}: ${node.target} ${node.failureSummary?.replace(/\s+/g, ' ')}`))
}
