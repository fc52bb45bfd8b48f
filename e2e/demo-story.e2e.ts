/** The demo's story, as a user sees it who opens the page and presses the big button. Chromium alone: this tests the page, not the transports. */

import { fileURLToPath } from 'node:url'
import type { AxeResults } from 'axe-core'
import type { Browser, Page } from 'playwright'
import { afterAll, beforeAll, describe, expect, type TestContext, test } from 'vitest'
import { isInstalled, launchBrowser } from './browsers.ts'
import { type DemoPage, openDemo } from './demo-page.ts'

/** The pace of an export that outlasts the test. */
const lasting = 'events=5000&interval=25'
const patiently = { timeout: 60_000 }
const axe = fileURLToPath(new URL('../node_modules/axe-core/axe.min.js', import.meta.url))

/** The page's parts, found by role and name, as assistive technology does. */
const partsOf = (page: Page) => ({
  jobtail: page.getByRole('article', { name: /Export orders, job/ }),
  eventSource: page.getByRole('article', { name: 'EventSource alone' }),
  webSocket: page.getByRole('article', { name: 'WebSocket alone' }),
  caption: page.getByRole('region', { name: 'Break the network' }).getByRole('status')
})

describe.concurrent.each((['chromium'] as const).filter(isInstalled))("the demo's story in %s", (name) => {
  let browser: Browser

  beforeAll(async () => {
    browser = await launchBrowser(name)
  })
  afterAll(() => browser.close())

  /** Opens a page that starts an export by itself. `query` sets the pace; `before` runs before the page is loaded. */
  async function open({ onTestFinished }: TestContext, query: string, before?: (page: Page) => Promise<void>): Promise<DemoPage & { jobId: string }> {
    const demoPage = await openDemo(browser)
    onTestFinished(demoPage.close)
    const { demo, page } = demoPage
    await before?.(page)
    await page.goto(`${demo.url}/?${query}`)
    const first = await page.waitForFunction(() => window.demo?.jobIds[0])
    return { ...demoPage, jobId: String(await first.jsonValue()) }
  }

  const progressOf = async (page: Page): Promise<number> => Number(await partsOf(page).jobtail.getByRole('progressbar').getAttribute('aria-valuenow'))

  test('the connection breaks, Jobtail goes on to the end, a bare WebSocket does not', async (context) => {
    const requested: string[] = []
    const { demo, page, jobId, expectExact } = await open(context, 'events=300&interval=60', async (page) => {
      page.on('request', (request) => requested.push(request.url()))
      await page.addInitScript(recordShifts)
    })
    const { jobtail, eventSource, webSocket, caption } = partsOf(page)
    await context.expect.poll(() => progressOf(page), patiently).toBeGreaterThan(0)
    // On a busy machine an event stream may win the first race, until WebSocket takes over.
    await context.expect.poll(() => jobtail.textContent(), patiently).toContain('live over WebSocket')
    await context.expect.poll(() => webSocket.getAttribute('data-state'), patiently).toBe('receiving')

    await page.getByRole('button', { name: 'Break the connection' }).press('Enter')
    await context.expect
      .poll(() => caption.textContent(), patiently)
      .toMatch(/^The WebSocket fell silent, so an? (event stream|long poll|short poll) took over.* 0 events lost\. The bare WebSocket stopped at \d+ %\.$/)
    await context.expect
      .poll(() => webSocket.textContent(), patiently)
      .toMatch(/stopped \d+ s ago.*It is still open and reports no error\. \d+ events behind\./)
    expect(await page.locator('.big').textContent()).toBe('Break the next one')

    await context.expect.poll(() => jobtail.getAttribute('data-status'), patiently).toBe('succeeded')
    await context.expect.poll(() => jobtail.textContent(), patiently).toContain("0 lost, 0 repeated, 0 out of order ✓, compared with the server's own record")
    await context.expect
      .poll(() => caption.textContent(), patiently)
      .toMatch(/^The export has succeeded: 0 lost, 0 repeated, 0 out of order, compared with the server's own record\./)
    await context.expect.poll(() => eventSource.getAttribute('data-state'), patiently).toBe('ended')
    expect(await webSocket.getAttribute('data-state')).toBe('stopped')
    await expectExact(jobId)
    expect(requested.filter((url) => !url.startsWith(demo.url) && !url.startsWith('data:'))).toEqual([])
    const shifts = await page.evaluate(() => window.shifts)
    expect(
      shifts.reduce((sum, { value }) => sum + value, 0),
      JSON.stringify(shifts)
    ).toBeLessThan(0.05)

    await page.getByRole('button', { name: 'Run it again' }).click()
    await context.expect.poll(() => jobtail.textContent(), patiently).toContain('live over WebSocket')
    expect(await page.locator('.big').textContent()).toBe('Break the connection')
    await context.expect.poll(() => webSocket.getAttribute('data-state'), patiently).toBe('receiving')
  })

  test('four presses: two ways broken, the server away, and mended', async (context) => {
    const { demo, page, jobId, goesOn } = await open(context, lasting)
    const { webSocket } = partsOf(page)
    await context.expect.poll(() => progressOf(page), patiently).toBeGreaterThan(0)
    const press = (label: string): Promise<void> => page.getByRole('button', { name: label }).click()
    await press('Break the connection')
    await press('Break the next one')
    await context.expect.poll(() => demo.proxy.faults, patiently).toMatchObject({ webSocket: 'mute', bufferStreams: true })
    await press('Take the server away')
    await context.expect.poll(() => webSocket.textContent(), patiently).toContain('It was closed. Nothing opens it again.')
    await press('Mend the network')
    await context.expect.poll(() => [demo.proxy.faults, demo.proxy.awayMs], patiently).toMatchObject([{ webSocket: 'pass', bufferStreams: false }, 0])
    await goesOn(jobId)
    await page.getByRole('button', { name: 'Break the connection' }).waitFor()
  })

  test('a bare EventSource goes on by itself after a cut, and the page says so', async (context) => {
    const { page, press } = await open(context, lasting)
    const { eventSource, webSocket } = partsOf(page)
    await context.expect.poll(() => eventSource.getAttribute('data-state'), patiently).toBe('receiving')
    await press('Cut all connections')
    await context.expect.poll(() => eventSource.textContent(), patiently).toContain('It reconnected by itself.')
    expect(await eventSource.getAttribute('data-state')).toBe('receiving')
    await context.expect.poll(() => webSocket.getAttribute('data-state'), patiently).toBe('stopped')
  })

  test('axe finds nothing, before and after the break, light and dark, wide and narrow', async (context) => {
    const { page } = await open(context, lasting)
    const { webSocket } = partsOf(page)
    await page.addScriptTag({ path: axe })
    await context.expect.poll(() => progressOf(page), patiently).toBeGreaterThan(0)
    await expectAccessible(page)
    await page.getByText('Choose what breaks').click()
    for (const code of await page.locator('.code > summary').all()) await code.click()
    await page.getByRole('button', { name: 'Break the connection' }).click()
    await context.expect.poll(() => webSocket.getAttribute('data-state'), patiently).toBe('stopped')
    await context.expect.poll(() => page.locator('.code code').last().textContent(), patiently).toContain('interface Faults')
    await expectAccessible(page)
  })
})

declare global {
  interface Window {
    axe: { run(): Promise<AxeResults> }
    /** The layout shifts that no input of the user has caused. */
    shifts: { value: number; nodes: string[] }[]
  }
}

/** Records layout shifts. Runs in the page. */
function recordShifts(): void {
  window.shifts = []
  const observer = new PerformanceObserver((list) => {
    for (const entry of list.getEntries() as (PerformanceEntry & { hadRecentInput: boolean; value: number; sources: { node?: Node }[] })[]) {
      // as: TypeScript doesn't know LayoutShift (Layout Instability API)
      const nodes = entry.sources.map(({ node }) => (node instanceof Element ? `${node.localName}.${node.className}` : String(node?.nodeName)))
      if (!entry.hadRecentInput) window.shifts.push({ value: entry.value, nodes })
    }
  })
  observer.observe({ type: 'layout-shift', buffered: true })
}

async function expectAccessible(page: Page): Promise<void> {
  for (const width of [1440, 360]) {
    for (const colorScheme of ['light', 'dark'] as const) {
      await page.setViewportSize({ width, height: 800 })
      await page.emulateMedia({ colorScheme, reducedMotion: 'reduce' })
      expect(await page.evaluate(() => document.documentElement.scrollWidth)).toBeLessThanOrEqual(width)
      const { violations } = await page.evaluate(() => window.axe.run())
      expect(violations.map(({ id, nodes }) => [width, colorScheme, id, ...nodes.map(({ html }) => html)])).toEqual([])
    }
  }
}
