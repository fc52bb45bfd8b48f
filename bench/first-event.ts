/**
 * How soon events reach a page, for each fault of the proxy: the first one, compared with a bare `fetch` of the JSON in the same page, and events
 * appended 1, 3 and 8 s after the start. `npm run bench:first-event -- --runs 3 --browsers chromium,firefox`
 */

import { once } from 'node:events'
import http from 'node:http'
import type { AddressInfo } from 'node:net'
import { parseArgs } from 'node:util'
import type { Browser, Page } from 'playwright'
import { serveModule } from '../demo/modules.ts'
import { createProxy, type Faults, type FaultyProxy } from '../demo/proxy.ts'
import { launchBrowser } from '../e2e/browsers.ts'
import { createJobServer, type JobServer } from '../src/server/index.ts'
import type { BrowserName } from '../test/setup/browsers.ts'

const APPENDED_AFTER_MS = [1000, 3000, 8000]

const faults: Record<string, Partial<Faults>> = {
  clear: {},
  '100 ms each way back': { latencyMs: 100 },
  'WebSocket refused': { webSocket: 'refuse' },
  'WebSocket unanswered': { webSocket: 'unanswered' },
  'WebSocket opens, delivers nothing': { webSocket: 'mute' },
  'WebSocket killed at 200 ms': { webSocket: 'kill' },
  'event streams buffered': { bufferStreams: true },
  '504 after 1 s': { requestLimitMs: 1000 },
  'WebSocket unanswered, streams buffered': { webSocket: 'unanswered', bufferStreams: true },
  'WebSocket unanswered, 504 after 1 s': { webSocket: 'unanswered', requestLimitMs: 1000 }
}

interface Run {
  fetchMs: number
  firstMs: number
  proofMs: number
  /** The time from append to receipt of each later event. */
  latencies: number[]
  transport: string
}

/** The times that the page measures, in ms since 1970. */
interface Seen {
  startedAt: number
  fetchMs: number
  liveAt: number
  receivedAt: number[]
  transport: string
}

const clock = (): number => performance.timeOrigin + performance.now()
const median = (values: readonly number[]): number => values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] ?? Number.NaN
const worst = (values: readonly number[]): number => Math.max(...values)

/** Fetches a job's events so far by a bare `fetch`, then follows the job to its end. */
async function follow(url: string): Promise<Seen> {
  const now = (): number => performance.timeOrigin + performance.now()
  const base = new URL(url).pathname.replace(/\/[^/]+$/, '')
  const job = new URL(url).pathname.slice(base.length + 1)
  const { createClient }: typeof import('../src/index.ts') = await import(`${location.origin}/src/index.ts`)
  const fetchedAt = now()
  await (await fetch(`${base}/${job}/events`, { cache: 'no-store' })).json()
  const fetchMs = now() - fetchedAt

  let liveAt = Number.NaN
  let transport = ''
  const client = createClient({
    url: base,
    memory: false,
    onDiagnostic({ type, at, transport: name }) {
      if (type !== 'live' && type !== 'switched') return
      if (Number.isNaN(liveAt)) liveAt = at
      transport = name ?? ''
    }
  })
  const startedAt = now()
  const receivedAt: number[] = []
  const subscription = client.subscribe(job)
  const started = fetch('/started', { method: 'POST', body: job }) // the server starts to append
  for await (const _ of subscription) receivedAt.push(now())
  await started
  return { startedAt, fetchMs, liveAt, receivedAt, transport }
}

async function measure(page: Page, origin: string, jobs: JobServer, job: string, begun: Promise<void>): Promise<Run> {
  await jobs.publish(job, 'started', {})
  const seen = page.evaluate(follow, `${origin}/jobs/${job}`)
  await begun
  const startedAt = clock()
  const appendedAt: number[] = []
  for (const afterMs of APPENDED_AFTER_MS) {
    await new Promise((resolve) => setTimeout(resolve, startedAt + afterMs - clock()))
    appendedAt.push(clock())
    await jobs.publish(job, afterMs === APPENDED_AFTER_MS.at(-1) ? 'succeeded' : 'progress', {})
  }
  const { startedAt: subscribedAt, fetchMs, liveAt, receivedAt, transport } = await seen
  const [first = Number.NaN, ...later] = receivedAt
  return {
    fetchMs,
    firstMs: first - subscribedAt,
    proofMs: liveAt - subscribedAt,
    latencies: later.map((at, index) => at - (appendedAt[index] ?? Number.NaN)),
    transport
  }
}

interface Stage {
  proxy: FaultyProxy
  jobs: JobServer
  /** Resolves when the page has begun to follow the job. */
  begun(job: string): Promise<void>
  close(): Promise<void>
}

async function startStage(): Promise<Stage> {
  const waiting = new Map<string, () => void>()
  const jobs = createJobServer()
  const server = http.createServer()
  jobs.attach(server)
  await once(server.listen(0, '127.0.0.1'), 'listening')
  const { port } = server.address() as AddressInfo // as: it listens on a port
  const proxy = await createProxy({
    target: `http://127.0.0.1:${port}`,
    elsewhere(req, res) {
      if (req.url !== '/started') return void serveModule(req, res)
      req.setEncoding('utf8').on('data', (job: string) => waiting.get(job)?.())
      req.on('end', () => res.writeHead(204).end())
    }
  })
  return {
    proxy,
    jobs,
    begun: (job) => new Promise((resolve) => waiting.set(job, resolve)),
    async close() {
      await proxy.close()
      await jobs.close({ graceMs: 0 })
      server.closeAllConnections()
      server.close()
    }
  }
}

async function measureFault(browser: Browser, fault: Partial<Faults>, runs: number): Promise<Run[]> {
  const results: Run[] = []
  for (let run = 0; run < runs; run++) {
    const stage = await startStage()
    const context = await browser.newContext()
    const page = await context.newPage()
    await page.goto(`${stage.proxy.url}/?auto=0`)
    stage.proxy.set(fault)
    const job = `bench-${run}`
    results.push(await measure(page, stage.proxy.url, stage.jobs, job, stage.begun(job)))
    await context.close()
    await stage.close()
  }
  return results
}

function row(name: string, results: readonly Run[]): string {
  const of = (pick: (run: Run) => number): number => median(results.map(pick))
  const fetchMs = of((run) => run.fetchMs)
  const firstMs = of((run) => run.firstMs)
  const limitMs = fetchMs * 1.5 + 100
  const later = APPENDED_AFTER_MS.map((_, index) => Math.round(worst(results.map((run) => run.latencies[index] ?? Number.NaN))))
  const cells = [
    name,
    Math.round(fetchMs),
    Math.round(firstMs),
    `${Math.round(limitMs)}${firstMs <= limitMs ? '' : ' EXCEEDED'}`,
    Math.round(of((run) => run.proofMs)),
    ...later,
    [...new Set(results.map(({ transport }) => transport))].join('/')
  ]
  return `| ${cells.join(' | ')} |`
}

const { values } = parseArgs({ options: { runs: { type: 'string', default: '3' }, browsers: { type: 'string', default: 'chromium' } } })
for (const name of values.browsers.split(',')) {
  const browser = await launchBrowser(name as BrowserName) // as: launchBrowser throws for other names
  console.log(`\n${name} ${browser.version()}, ${values.runs} runs; medians in ms, of the later events the slowest\n`)
  console.log('| fault | bare fetch | first event | limit 1.5 × + 100 | proof | event at 1 s | at 3 s | at 8 s | carried by |')
  console.log('|---|---|---|---|---|---|---|---|---|')
  for (const [fault, settings] of Object.entries(faults)) console.log(row(fault, await measureFault(browser, settings, Number(values.runs))))
  await browser.close()
}
