import type { Browser } from 'playwright'
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import { browserNames, isInstalled, launchBrowser } from './browsers.ts'
import { type DemoPage, openDemo } from './demo-page.ts'

/** For what may take a while on a busy machine. */
const patiently = { timeout: 20_000 }

const withoutWebSocket = 'transports=sse,long-poll,short-poll'

describe.each(browserNames.filter(isInstalled))('the demo in %s', (name) => {
  let browser: Browser
  let opened: DemoPage | undefined

  const open = async (query?: string): Promise<DemoPage> => {
    const demoPage = await openDemo(browser, query)
    opened = demoPage
    return demoPage
  }

  beforeAll(async () => {
    browser = await launchBrowser(name)
  })
  afterEach(() => opened?.close())
  afterAll(() => browser.close())

  describe('a switch thrown in the middle of a job', () => {
    test.each([
      { label: 'Refuse the upgrade' },
      { label: 'Leave the upgrade unanswered' },
      { label: 'Open it, kill it after 200 ms' },
      { label: '504 to long requests', query: withoutWebSocket, hit: 'sse' },
      { label: 'Cut all connections' },
      { label: 'Server away for 5\u00a0s' }
    ])('$label', async ({ label, query, hit = 'websocket' }) => {
      const { start, had, press, lost, expectExact } = await open(query)
      const job = await start()
      await had(job, 80)
      await press(label)
      await expectExact(job)
      expect(await lost(hit)).not.toEqual([])
    })

    // Silence takes 2.5 heartbeats to be noticed, which are 5 s here: the job goes on for longer, so that what carries it then has something to carry.
    test.each([
      { label: 'Open it, deliver nothing', hit: 'websocket' },
      { label: 'Buffer event streams', query: withoutWebSocket, hit: 'sse' }
    ])('$label', async ({ label, query, hit }) => {
      const { start, had, press, lost, diagnostics, expectExact } = await open(query)
      const job = await start({ events: 500 })
      await had(job, 80)
      await press(label)
      await expectExact(job)
      const [first] = await lost(hit)
      expect(first).toMatchObject({ reason: 'silent' })
      expect(first?.afterMs).toBeLessThan(15_000)
      const last = (await diagnostics()).filter(({ type }) => type === 'live').at(-1)
      expect([hit, undefined]).not.toContain(last?.transport)
    })

    test('a WebSocket that is killed each time is not tried at full speed', async () => {
      const { start, had, press, diagnostics, arrivals, expectExact } = await open()
      const job = await start()
      await had(job, 20)
      await press('Open it, kill it after 200 ms')
      const before = arrivals.length
      await expectExact(job)
      // At full speed it would be tried some five times a second.
      expect(arrivals.slice(before).filter(({ isUpgrade }) => isUpgrade).length).toBeLessThan(12)
      const live = (await diagnostics()).filter(({ type }) => type === 'live')
      expect(live.at(-1)?.transport).not.toBe('websocket')
    })
  })

  describe('under a fault from the start', () => {
    test.each([
      'Refuse the upgrade',
      'Leave the upgrade unanswered',
      'Open it, deliver nothing',
      'Open it, kill it after 200 ms',
      'Buffer event streams',
      '504 to long requests'
    ])('%s', async (label) => {
      const { demo, start, press, expectExact } = await open()
      await press(label)
      await expect.poll(() => demo.proxy.faults, patiently).not.toMatchObject({ webSocket: 'pass', bufferStreams: false, requestLimitMs: 0 })
      await expectExact(await start())
    })

    test('only short requests get through', async () => {
      const { demo, start, diagnostics, expectExact } = await open()
      demo.proxy.set({ webSocket: 'unanswered', bufferStreams: true, requestLimitMs: 1000 })
      await expectExact(await start())
      expect((await diagnostics()).filter(({ type }) => type === 'live').at(-1)?.transport).toMatch(/poll/)
    })
  })

  test.each(['websocket', 'sse', 'long-poll', 'short-poll'])('%s alone', async (transport) => {
    const { start, diagnostics, expectExact } = await open(`transports=${transport}`)
    await expectExact(await start())
    const live = (await diagnostics()).filter(({ type }) => type === 'live')
    expect(new Set(live.map((each) => each.transport))).toEqual(new Set([transport]))
  })

  test('a reload at half-time', async () => {
    const { page, start, had, expectExact } = await open()
    const job = await start()
    await had(job, 100)
    await page.reload()
    await page.waitForFunction((id) => window.demo?.jobIds.includes(id), job)
    await expectExact(job)
    await expect.poll(() => page.locator('.count').textContent(), patiently).toContain('the same as in the server')
  })

  test('a reload in the middle of a fault', async () => {
    const { page, start, had, press, expectExact } = await open()
    const job = await start()
    await had(job, 100)
    await press('Leave the upgrade unanswered')
    await page.reload()
    await page.waitForFunction((id) => window.demo?.jobIds.includes(id), job)
    await expectExact(job)
  })

  test('a second job beside it, and a cut through both', async () => {
    const { start, had, press, expectExact } = await open()
    const first = await start({ kind: 'hash' })
    await had(first, 40)
    const second = await start({ kind: 'stream' })
    await had(second, 40)
    await press('Cut all connections')
    await expectExact(first)
    await expectExact(second)
  })

  test('nothing is open once the job has ended', async () => {
    const { demo, start, expectExact } = await open()
    await expectExact(await start())
    await expect.poll(() => demo.proxy.connections, patiently).toEqual({ websocket: 0, stream: 0, request: 0 })
  })

  test('what the page shows: a job that starts by itself, is cancelled, and one that fails', async () => {
    const { demo, page } = await open()
    await page.goto(`${demo.url}/?events=400`)
    const hash = page.getByRole('article', { name: /Hash a large file/ })
    await hash.getByRole('progressbar').waitFor()
    await expect.poll(async () => Number(await hash.getByRole('progressbar').getAttribute('aria-valuenow')), patiently).toBeGreaterThan(0)
    await expect.poll(() => hash.textContent(), patiently).toContain('live over WebSocket')
    await hash.getByRole('button', { name: 'Cancel' }).click()
    await expect.poll(() => hash.getAttribute('data-status'), patiently).toBe('cancelled')
    await page.goto(`${demo.url}/?events=20&interval=5&auto=0`)
    await page.getByRole('button', { name: 'Fail halfway' }).click()
    const failing = page.getByRole('article', { name: /Validate rows/ })
    await expect.poll(() => failing.getAttribute('data-status'), patiently).toBe('failed')
    expect(await failing.textContent()).toMatch(/invalid-row: row [\d,]+: the check digits of/)
  })

  test('fits a phone, light and dark', async () => {
    const { page, start, had } = await open()
    await page.setViewportSize({ width: 360, height: 740 })
    await had(await start({ kind: 'stream' }), 60)
    for (const colorScheme of ['light', 'dark'] as const) {
      await page.emulateMedia({ colorScheme })
      expect(await page.evaluate(() => document.documentElement.scrollWidth)).toBeLessThanOrEqual(360)
    }
  })
})
