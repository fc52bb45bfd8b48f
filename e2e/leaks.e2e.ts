/** The leak test of test/leaks in a page: a thousand subscriptions, left in the middle of faults. */

import { type Browser, chromium } from 'playwright'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { serveModule } from '../demo/modules.ts'
import { type Cycle, cycle } from '../test/leaks/cycle.ts'
import { type Stage, startStage } from '../test/leaks/stage.ts'
import { findBrowser, launchOptions } from '../test/setup/browsers.ts'

const WARM_UP = 250
const CYCLES = 1000
const PARTS = 4
/** The bound in bytes. In Node, a subscription that is leaked takes 8,700. */
const MAX_BYTES_PER_CYCLE = 3000

const path = findBrowser('chromium')

describe.skipIf(path === undefined)('in Chromium', () => {
  let stage: Stage
  let browser: Browser
  beforeAll(async () => {
    stage = await startStage((req, res) => void serveModule(req, res))
    browser = await chromium.launch(launchOptions('chromium', path ?? '')) // skipped without one
  })
  afterAll(async () => {
    await browser.close()
    await stage.close()
  })

  test('connections, listeners and memory are back to where they were', { timeout: 300_000 }, async () => {
    const page = await browser.newPage()
    await page.goto(`${stage.proxy.url}/?auto=0`)
    await page.locator('jobtail-devtools').evaluate((panel) => panel.remove()) // it remembers the latest of what clients did
    const devTools = await page.context().newCDPSession(page)
    await devTools.send('Performance.enable')
    await page.evaluate(`(async () => {
      console.warn = () => {}
      const jobtail = await import('/src/index.ts')
      const lasting = new AbortController().signal
      const shared = new Map()
      const cycle = ${cycle}
      window.perform = (batch) => Promise.all(batch.map((each) => cycle(jobtail, each, lasting, shared)))
    })()`)
    const perform = (batch: Cycle[]): Promise<string[][]> => page.evaluate(`window.perform(${JSON.stringify(batch)})`)

    async function measure(): Promise<{ heap: number; listeners: number }> {
      await expect.poll(stage.open, { timeout: 30_000 }).toBe(0)
      await devTools.send('HeapProfiler.collectGarbage')
      await devTools.send('HeapProfiler.collectGarbage')
      const { metrics } = await devTools.send('Performance.getMetrics')
      const of = (wanted: string): number => metrics.find(({ name }) => name === wanted)?.value ?? Number.NaN
      return { heap: of('JSHeapUsedSize'), listeners: of('JSEventListeners') }
    }

    await stage.run(WARM_UP, perform)
    const before = await measure()
    const levels = [before]
    const came = new Map<string, number>()
    for (let part = 0; part < PARTS; part += 1) {
      for (const [phase, count] of await stage.run(CYCLES / PARTS, perform)) came.set(phase, (came.get(phase) ?? 0) + count)
      levels.push(await measure())
    }
    console.log(`leaks: ${CYCLES} cycles in Chromium came by ${[...came].map(([phase, count]) => `${phase} ${count}`).join(', ')}`)
    console.log(
      `leaks: heap in kB: ${levels.map(({ heap }) => Math.round(heap / 1024)).join(', ')}; listeners: ${levels.map(({ listeners }) => listeners).join(', ')}`
    )
    for (const phase of ['connecting', 'live', 'reading', 'waiting', 'paused']) expect([...came.keys()]).toContain(phase)
    expect(levels.at(-1)?.listeners).toBeLessThanOrEqual(before.listeners)
    // The minimum of the second half: memory that is held for a moment is not a leak.
    const grown = Math.min(...levels.slice(-2).map(({ heap }) => heap)) - before.heap
    expect(grown / CYCLES).toBeLessThan(MAX_BYTES_PER_CYCLE)
  })
})
