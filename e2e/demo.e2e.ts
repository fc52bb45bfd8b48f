import type { Browser } from 'playwright'
import { afterAll, beforeAll, describe, expect, type TestContext, test } from 'vitest'
import { browserNames, isInstalled, launchBrowser } from './browsers.ts'
import { type DemoPage, lasting, openDemo } from './demo-page.ts'
import { carriers } from './matrix/measure.ts'

/** For conditions that may take a while on a busy machine. */
const patiently = { timeout: 60_000 }

/** Every third of a table: `npm test` runs so much of it in Firefox, `npm run e2e:whole` all. Chromium always runs all. */
const sample = <T>(table: readonly T[], name: string): readonly T[] =>
  name === 'chromium' || process.env.WHOLE ? table : table.filter((_, index) => index % 3 === 0)

const withoutWebSocket = 'transports=sse,long-poll,short-poll'

describe.concurrent.each(browserNames.filter(isInstalled))('the demo in %s', (name) => {
  let browser: Browser

  async function open({ onTestFinished }: TestContext, query?: string): Promise<DemoPage> {
    const demoPage = await openDemo(browser, query)
    onTestFinished(demoPage.close)
    return demoPage
  }

  beforeAll(async () => {
    browser = await launchBrowser(name)
  })
  afterAll(() => browser.close())

  describe('a switch thrown in the middle of a job', () => {
    const switches: readonly { label: string; query?: string; hit?: string }[] = [
      { label: 'Refuse the upgrade' },
      { label: 'Leave the upgrade unanswered' },
      { label: 'Open it, kill it after 200 ms' },
      { label: '504 to long requests', query: withoutWebSocket, hit: 'sse' },
      { label: 'Cut all connections' },
      { label: 'Server away for 5\u00a0s' }
    ]
    test.for(sample(switches, name))('$label', async ({ label, query, hit = 'websocket' }, context) => {
      const { start, had, press, lost, goesOn, cancel, expectExact } = await open(context, query)
      const job = await start(lasting)
      await had(job, 80)
      await press(label)
      await lost(hit)
      await goesOn(job)
      await cancel(job)
      await expectExact(job)
    })

    test.for([
      { label: 'Open it, deliver nothing', hit: 'websocket' },
      { label: 'Buffer event streams', query: withoutWebSocket, hit: 'sse' }
    ])('$label', async ({ label, query, hit }, context) => {
      const { demo, start, had, press, lost, diagnostics, goesOn, cancel, expectExact } = await open(context, query)
      const job = await start(lasting)
      await had(job, 80)
      const before = await demo.readLog(job)
      await press(label)
      const { reason, at } = await lost(hit)
      expect(reason).toBe('silent')
      // Events appended before the silence was noticed. Waiting for 2.5 heartbeats of 2 s would take 200, and 1,500 at the default heartbeat.
      const meanwhile = (await demo.readLog(job)).filter(({ time }) => Date.parse(time) < at).length - before.length
      expect(meanwhile).toBeLessThan(600)
      await goesOn(job)
      expect([hit, undefined]).not.toContain(carriers({ diagnostics: await diagnostics() }).at(-1))
      await cancel(job)
      await expectExact(job)
    })

    test('a WebSocket that is killed each time is not tried at full speed', async (context) => {
      const { start, had, press, demoted, diagnostics, arrivals, goesOn, cancel, expectExact } = await open(context)
      const job = await start(lasting)
      await had(job, 20)
      const before = arrivals.length
      await press('Open it, kill it after 200 ms')
      await demoted('websocket')
      await goesOn(job)
      // Without backoff it would be tried about five times a second, and these events take at least five seconds.
      expect(arrivals.slice(before).filter(({ isUpgrade }) => isUpgrade).length).toBeLessThan(12)
      expect(carriers({ diagnostics: await diagnostics() }).at(-1)).not.toBe('websocket')
      await cancel(job)
      await expectExact(job)
    })
  })

  describe('under a fault from the start', () => {
    const faults = [
      'Refuse the upgrade',
      'Leave the upgrade unanswered',
      'Open it, deliver nothing',
      'Open it, kill it after 200 ms',
      'Buffer event streams',
      '504 to long requests'
    ]
    test.for(sample(faults, name))('%s', async (label, context) => {
      const { demo, start, press, expectExact } = await open(context)
      await press(label)
      await context.expect.poll(() => demo.proxy.faults, patiently).not.toMatchObject({ webSocket: 'pass', bufferStreams: false, requestLimitMs: 0 })
      await expectExact(await start())
    })

    test('only short requests get through', async (context) => {
      const { demo, start, diagnostics, expectExact } = await open(context)
      demo.proxy.set({ webSocket: 'unanswered', bufferStreams: true, requestLimitMs: 1000 })
      await expectExact(await start())
      expect(carriers({ diagnostics: await diagnostics() }).at(-1)).toMatch(/poll/)
    })
  })

  test.for(['websocket', 'sse', 'long-poll', 'short-poll'])('%s alone', async (transport, context) => {
    const { start, diagnostics, expectExact } = await open(context, `transports=${transport}`)
    await expectExact(await start())
    expect(new Set(carriers({ diagnostics: await diagnostics() }))).toEqual(new Set([transport]))
  })

  test('a reload at half-time', async (context) => {
    const { page, start, had, goesOn, cancel, expectExact } = await open(context)
    const job = await start(lasting)
    await had(job, 100)
    await page.reload()
    await page.waitForFunction((id) => window.demo?.jobIds.includes(id), job)
    await goesOn(job)
    await cancel(job)
    await expectExact(job)
    await context.expect.poll(() => page.locator('.count').textContent(), patiently).toContain('0 lost, 0 repeated, 0 out of order ✓')
  })

  test('a reload in the middle of a fault', async (context) => {
    const { page, start, had, press, lost, goesOn, cancel, expectExact } = await open(context)
    const job = await start(lasting)
    await had(job, 100)
    await press('Leave the upgrade unanswered')
    await lost('websocket')
    await page.reload()
    await page.waitForFunction((id) => window.demo?.jobIds.includes(id), job)
    await goesOn(job)
    await cancel(job)
    await expectExact(job)
  })

  test('a second job beside it, and a cut through both', async (context) => {
    const { start, had, press, lost, goesOn, cancel, expectExact } = await open(context)
    const jobs = [await start({ kind: 'export', ...lasting }), await start({ kind: 'stream', ...lasting })]
    for (const job of jobs) await had(job, 40)
    await press('Cut all connections')
    await lost('websocket')
    for (const job of jobs) {
      await goesOn(job)
      await cancel(job)
      await expectExact(job)
    }
  })

  test('nothing is open once the job has ended', async (context) => {
    const { demo, start, expectExact } = await open(context)
    await expectExact(await start())
    await context.expect.poll(() => demo.proxy.connections, patiently).toEqual({ websocket: 0, stream: 0, request: 0 })
  })

  test('what the page shows: a job that starts by itself, is cancelled, and one that fails', async (context) => {
    const { demo, page } = await open(context)
    await page.goto(`${demo.url}/?events=${lasting.events}&interval=25`)
    const job = page.getByRole('article', { name: /Export orders, job/ })
    await job.getByRole('progressbar').waitFor()
    await context.expect.poll(async () => Number(await job.getByRole('progressbar').getAttribute('aria-valuenow')), patiently).toBeGreaterThan(0)
    await context.expect.poll(() => job.textContent(), patiently).toContain('live over WebSocket')
    await job.getByRole('button', { name: 'Cancel' }).click()
    await context.expect.poll(() => job.getAttribute('data-status'), patiently).toBe('cancelled')
    await page.goto(`${demo.url}/?events=20&interval=5&auto=0`)
    await page.getByRole('button', { name: 'Fail halfway' }).click()
    const failing = page.getByRole('article', { name: /Validate rows/ })
    await context.expect.poll(() => failing.getAttribute('data-status'), patiently).toBe('failed')
    expect(await failing.textContent()).toMatch(/invalid-row: row [\d,]+: the check digits of/)
  })

  test('fits a phone, light and dark', async (context) => {
    const { page, start, had } = await open(context)
    await page.setViewportSize({ width: 360, height: 740 })
    await had(await start({ kind: 'stream' }), 60)
    for (const colorScheme of ['light', 'dark'] as const) {
      await page.emulateMedia({ colorScheme })
      expect(await page.evaluate(() => document.documentElement.scrollWidth)).toBeLessThanOrEqual(360)
    }
  })
})
