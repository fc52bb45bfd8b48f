import { createHash } from 'node:crypto'
import type { Browser, Page } from 'playwright'
import { expect } from 'vitest'
import type { Arrival } from '../demo/proxy.ts'
import { type Demo, startDemo } from '../demo/server.ts'
import { isTerminal } from '../src/protocol/rules.ts'
import type { Diagnostic } from '../src/types.ts'

const pace = { events: 220, intervalMs: 25 }
/** For a job that runs until it is cancelled, since no test takes this long. */
export const lasting = { events: 5000 }

/** A new demo server, and its page in a new browser context. */
export interface DemoPage {
  readonly demo: Demo
  readonly page: Page
  /** The requests and handshakes on the proxy's faulty path so far. */
  readonly arrivals: readonly Arrival[]
  /** Starts a job of at least 200 events over at least 5 s on the page. Resolves with its id. */
  start(input?: { kind?: string; events?: number }): Promise<string>
  /** Resolves when the page has received this many of the job's events. */
  had(jobId: string, count: number): Promise<void>
  /** Resolves when the page has received as many more events as a whole job has. */
  goesOn(jobId: string): Promise<void>
  cancel(jobId: string): Promise<void>
  /** Presses a switch or button below "Choose what breaks". */
  press(label: string): Promise<void>
  diagnostics(): Promise<Diagnostic[]>
  /** Resolves with the diagnostic when this transport has been lost. */
  lost(transport: string): Promise<Extract<Diagnostic, { type: 'lost' }>>
  /** Resolves when this transport ranks below the others. */
  demoted(transport: string): Promise<void>
  /** Waits for the job's end on the page, and compares its events with the server's log. */
  expectExact(jobId: string): Promise<void>
  close(): Promise<void>
}

export async function openDemo(browser: Browser, query = ''): Promise<DemoPage> {
  const arrivals: Arrival[] = []
  const demo = await startDemo({ port: 0, host: '127.0.0.1', onArrival: (arrival) => arrivals.push(arrival) })
  // A moving timeline would only keep the machine busy. Firefox gets this preference when it is launched.
  const context = await browser.newContext({ reducedMotion: 'reduce' })
  context.setDefaultTimeout(100_000)
  const page = await context.newPage()
  const errors: string[] = []
  page.on('pageerror', (error) => {
    // Playwright reports Firefox's log messages about failed WebSockets as page errors.
    if (!/establish a connection to the server at ws:|was interrupted while the page was loading/.test(String(error))) errors.push(String(error))
  })
  await page.goto(`${demo.url}/?auto=0&${query}`)
  await page.waitForFunction(() => 'demo' in window)

  async function had(jobId: string, count: number): Promise<void> {
    await page.waitForFunction(([id, least]) => window.demo.events(id).length >= least, [jobId, count] as const)
  }

  /** Resolves with the first diagnostic of this type about this transport. */
  async function told<T extends Diagnostic['type']>(type: T, transport: string): Promise<Extract<Diagnostic, { type: T }>> {
    const first = await page.waitForFunction(([wanted, name]) => window.demo.diagnostics.find((each) => each.type === wanted && each.transport === name), [
      type,
      transport
    ] as const)
    return (await first.jsonValue()) as Extract<Diagnostic, { type: T }> // as: found by that type
  }

  return {
    demo,
    page,
    arrivals,
    start: (input) => page.evaluate((all) => window.demo.start(all), { kind: 'export', ...pace, ...input }),
    had,
    async goesOn(jobId) {
      await had(jobId, (await page.evaluate((id) => window.demo.events(id).length, jobId)) + pace.events)
    },
    async cancel(jobId) {
      await page
        .getByRole('article', { name: `job ${jobId}` })
        .getByRole('button', { name: 'Cancel' })
        .click()
    },
    async press(label) {
      if ((await page.locator('#switches').getAttribute('open')) === null) await page.getByText('Choose what breaks').click()
      await page.getByText(label, { exact: true }).click()
    },
    diagnostics: () => page.evaluate(() => [...window.demo.diagnostics]),
    lost: (transport) => told('lost', transport),
    async demoted(transport) {
      await told('demoted', transport)
    },
    async expectExact(jobId) {
      await page.evaluate((id) => window.demo.over(id), jobId)
      const received = await page.evaluate((id) => window.demo.events(id), jobId)
      const log = await demo.readLog(jobId)
      const last = log.at(-1)
      expect(isTerminal(last?.type ?? ''), `the log's last event is ${last?.type}`).toBe(true)
      expect(received.map(fingerprint)).toEqual(log.map(fingerprint))
      expect(log.map(({ seq }) => seq)).toEqual(log.map((_, index) => index + 1))
      expect(log.length).toBeGreaterThanOrEqual(200)
      expect(Date.parse(last?.time ?? '') - Date.parse(log[0]?.time ?? '')).toBeGreaterThanOrEqual(5000)
      expect(errors).toEqual([])
    },
    async close() {
      await context.close()
      await demo.close()
    }
  }
}

const fingerprint = ({ id, seq, type, data }: { id: string; seq: number; type: string; data: unknown }): unknown[] => [
  id,
  seq,
  type,
  createHash('sha256').update(JSON.stringify(data)).digest('hex')
]
