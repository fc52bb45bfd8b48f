import { type Browser, chromium } from 'playwright'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { findBrowser, launchOptions } from '../test/setup/browsers.ts'
import { follows, growthMb, type Run } from './backpressure.ts'

const path = findBrowser('chromium')

describe.skipIf(path === undefined)('a reader that is slower than its server, in Chromium', () => {
  let browser: Browser
  beforeAll(async () => {
    browser = await chromium.launch(launchOptions('chromium', path ?? '')) // skipped without one
  })
  afterAll(() => browser.close())

  /** Opens a page. `memory` returns its heap after a garbage collection. */
  async function open(url: string): Promise<{ memory(): Promise<number> }> {
    const page = await browser.newPage()
    await page.goto(url)
    const devTools = await page.context().newCDPSession(page)
    await devTools.send('Performance.enable')
    return {
      async memory() {
        await devTools.send('HeapProfiler.collectGarbage')
        const { metrics } = await devTools.send('Performance.getMetrics')
        return (metrics.find(({ name }) => name === 'JSHeapUsedSize')?.value ?? Number.NaN) / 2 ** 20
      }
    }
  }

  test.each(['websocket', 'sse'])('over %s: all of it arrives, memory stays flat, and no other job is held up', { timeout: 300_000 }, async (transport) => {
    const run: Run = { events: 100_000, bytes: 1000, transports: [transport] }
    const result = await follows(run, open)
    const { count, hash, expected, pauses, others, othersSince, disordered, changes, error, memoryMb, seconds } = result
    console.log(
      `backpressure over ${transport}: ${count} events in ${seconds.toFixed(0)} s, let go ${pauses} times, ${others} events of another job, heap in MB ${memoryMb.map((mb) => mb.toFixed(0)).join(' ')}`
    )
    expect({ count, hash, disordered, error }).toEqual({ count: run.events, hash: expected, disordered: 0, error: '' })
    expect(pauses).toBeGreaterThan(0)
    expect(othersSince).toBeGreaterThan(0)
    expect(changes).toBeGreaterThan(0)
    // Holding all events takes 117.
    expect(growthMb(result)).toBeLessThan(50)
  })
})
