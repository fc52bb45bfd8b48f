/**
 * More events than a page can hold, for a slow reader: does the page's memory stay flat, is any event lost, and is any other
 * job held up? `npm run backpressure -- --events 1000000 --engines chromium,firefox,webkit`. Exits with 1 where the answer is wrong.
 */

import { once } from 'node:events'
import { readdirSync, readFileSync } from 'node:fs'
import http from 'node:http'
import type { AddressInfo } from 'node:net'
import { json } from 'node:stream/consumers'
import { parseArgs } from 'node:util'
import { serveModule } from '../demo/modules.ts'
import type { WireEvent } from '../src/protocol/frames.ts'
import { createJobServer, memoryLog, wrapLog } from '../src/server/index.ts'
import type { EventLog } from '../src/server/log/types.ts'
import { showPage } from './bare.ts'
import { type EngineName, installedEngines } from './engines.ts'

export interface Run {
  events: number
  /** Bytes of each event's data. */
  bytes: number
  transports: readonly string[]
  /** The client's option. Set it high to see the memory grow. */
  bufferSize?: number
  /** Reads by `fetch` and `JSON.parse`, a MiB at a time, instead of by the client: shows how much garbage the engine itself lets pile up. */
  isBare?: boolean
}

/** What the page reports. */
interface Seen {
  count: number
  hash: number
  /** How often reading paused for the slow reader. */
  pauses: number
  /** The job beside it: its events, how many were out of order, and the longest delay of one in ms. */
  others: number
  /** Its events since reading first paused for the slow reader. */
  othersSince: number
  disordered: number
  latestMs: number
  changes: number
  over: boolean
  /** Empty: none. */
  error: string
}

export interface Result extends Seen {
  /** The hash over the log's events. */
  expected: number
  seconds: number
  /** The memory over time in MB, from before the first read. */
  memoryMb: number[]
}

/** A number that differs for each event, for the hash. */
const numberOf = (seq: number): number => Math.imul(seq, 2654435761) >>> 0
const mix = (hash: number, seq: number, number: number): number => Math.imul(hash ^ seq, 16777619) ^ number

function hashOf(events: number): number {
  let hash = 0
  for (let seq = 1; seq <= events; seq += 1) hash = mix(hash, seq, numberOf(seq))
  return hash
}

/** A log where jobs called `big…` have this many events, generated as they are read. Other jobs are kept in memory. */
function bigLog({ events, bytes }: Run): EventLog {
  const kept = memoryLog({ maxEvents: 5000 })
  const pad = 'x'.repeat(bytes)
  const isBig = (job: string): boolean => job.startsWith('big')
  const eventOf = (job: string, seq: number): WireEvent => ({
    id: `e-${seq}`,
    seq,
    job,
    type: seq === events ? 'succeeded' : 'output',
    time: '2026-11-21T01:02:03.456Z',
    data: { n: numberOf(seq), pad }
  })
  return wrapLog(kept, {
    async read(job, after, limit) {
      if (!isBig(job)) return kept.read(job, after, limit)
      const seq = Number(after?.slice(2) ?? 0)
      const end = Math.min(events, seq + limit)
      return {
        events: Array.from({ length: end - seq }, (_, index) => eventOf(job, seq + index + 1)),
        epoch: 'e',
        seq,
        cursor: `e-${seq}`,
        done: end === events,
        more: end < events
      }
    },
    snapshot: async (job) => (isBig(job) ? { id: job, status: 'succeeded', epoch: 'e', seq: events, cursor: `e-${events}`, result: null } : kept.snapshot(job)),
    watch: async (job, wake) => (isBig(job) ? () => {} : kept.watch(job, wake))
  })
}

/** The page. It follows the jobs when it has loaded and reports to the server. */
const page = (run: Run): string => `<!doctype html><title>Backpressure</title><link rel="icon" href="data:,">
<script type="importmap">{ "imports": {
  "jobtail": "/src/index.ts",
  "eventsource-parser": "/node_modules/eventsource-parser/dist/index.js",
  "idb-keyval": "/node_modules/idb-keyval/dist/index.js"
} }</script>
<script type="module">import * as jobtail from 'jobtail'; (${follow})(jobtail, ${JSON.stringify(run)})</script>`

/** Runs in the page, which is sent this function's text. */
function follow({ createClient, webSocket, sse, longPoll, shortPoll }: typeof import('../src/index.ts'), { transports, bufferSize, isBare }: Run): void {
  const seen: Seen = { count: 0, hash: 0, pauses: 0, others: 0, othersSince: 0, disordered: 0, latestMs: 0, changes: 0, over: false, error: '' }
  const tell = async (): Promise<void> => {
    await fetch('/seen', { method: 'POST', body: JSON.stringify(seen) })
    setTimeout(tell, 250)
  }
  void tell()
  const client = createClient({
    memory: false,
    bufferSize,
    bufferBytes: bufferSize && Infinity,
    transports: [webSocket(), sse(), longPoll(), shortPoll()].filter(({ name }) => transports.includes(name)),
    onDiagnostic({ type }) {
      if (type === 'paused') seen.pauses += 1
    }
  })
  const fail = (error: unknown): void => {
    seen.error ||= String(error)
  }
  type Numbered = Pick<WireEvent, 'id' | 'seq' | 'type'> & { data: { n: number } }
  async function* readBare(): AsyncGenerator<Numbered> {
    seen.pauses = 1 // a bare reading never pauses
    for (let after = '', isOver = false; !isOver; ) {
      const response = await fetch(`/jobs/big/events?window=${2 ** 20}${after && `&after=${after}`}`, { headers: { accept: 'application/x-ndjson' } })
      for (const line of (await response.text()).split('\n').filter(Boolean)) {
        const event: Numbered = JSON.parse(line)
        if (event.seq === undefined || !event.data) continue // a control
        after = event.id
        isOver = event.type === 'succeeded'
        yield event
      }
    }
  }
  /** Rests after each event until reading has paused once, then after every 250th: still slower than almost any server. */
  async function readSlowly(): Promise<void> {
    const events = isBare ? readBare() : client.subscribe<{ output: { n: number }; succeeded: { n: number } }>('big')
    for await (const { seq, data } of events) {
      if (seq !== seen.count + 1) throw new Error(`event ${seq} came after ${seen.count}`)
      seen.count = seq
      seen.hash = Math.imul(seen.hash ^ seq, 16777619) ^ (data as { n: number }).n // as: the log's own data
      if (seen.pauses === 0 || seq % 250 === 0) await new Promise((resolve) => setTimeout(resolve, 4))
    }
    seen.over = true
  }
  async function readBeside(): Promise<void> {
    let last = 0
    const startedAt = Date.now()
    for await (const { seq, time } of client.subscribe('beside')) {
      if (seq !== last + 1) seen.disordered += 1
      last = seq
      seen.others += 1
      if (seen.pauses > 0) seen.othersSince += 1
      if (Date.parse(time) > startedAt) seen.latestMs = Math.max(seen.latestMs, Date.now() - Date.parse(time))
    }
  }
  readSlowly().catch(fail)
  readBeside().catch(fail)
  // One reader takes a single event and then no more, another one takes none.
  client.subscribe('big-unread')[Symbol.asyncIterator]().next().catch(fail)
  client.subscribe('unread').onChange(() => {
    seen.changes += 1
  })
}

/** The private memory of all descendants of this process. */
function memoryOfChildrenMb(): number {
  const parents = new Map<number, number>()
  for (const name of readdirSync('/proc').filter((each) => /^\d+$/.test(each))) {
    const stat = readProc(name, 'stat')
    if (stat) parents.set(Number(name), Number(stat.slice(stat.lastIndexOf(')') + 4).split(' ')[0]))
  }
  const isOurs = (pid: number | undefined): boolean => pid !== undefined && pid > 1 && (parents.get(pid) === process.pid || isOurs(parents.get(pid)))
  const own = [...parents.keys()].filter(isOurs).map((pid) => Number(/RssAnon:\s+(\d+)/.exec(readProc(`${pid}`, 'status'))?.[1] ?? 0))
  return Math.round(own.reduce((sum, kb) => sum + kb, 0) / 1024)
}

function readProc(pid: string, file: string): string {
  try {
    return readFileSync(`/proc/${pid}/${file}`, 'utf8')
  } catch {
    return '' // the process has ended meanwhile
  }
}

interface Served {
  origin: string
  /** Resolves with the page's next report. */
  seen(): Promise<Seen>
  close(): Promise<void>
}

async function serve(run: Run): Promise<Served> {
  let told = Promise.withResolvers<Seen>()
  const jobs = createJobServer({ log: bigLog(run), shortPollPauseMs: 100 })
  const server = http.createServer((req, res) => {
    if (req.url === '/') res.writeHead(200, { 'content-type': 'text/html; charset=utf-8' }).end(page(run))
    else if (req.url === '/seen')
      void json(req).then((seen) => {
        told.resolve(seen as Seen) // as: what the page sends
        told = Promise.withResolvers()
        res.writeHead(204).end()
      })
    else if (!req.url?.startsWith('/jobs')) void serveModule(req, res)
  })
  jobs.attach(server)
  await once(server.listen(0, '127.0.0.1'), 'listening')
  for (const job of ['beside', 'unread']) await jobs.publish(job, 'started')
  const beside = setInterval(() => void jobs.publish('beside', 'progress', { ratio: 0.5 }), 50)
  const unread = setInterval(() => {
    for (let count = 0; count < 4; count += 1) void jobs.publish('unread', 'output', 'x'.repeat(1000))
  }, 20)
  return {
    origin: `http://localhost:${(server.address() as AddressInfo).port}`, // as: it listens on TCP
    seen: () => told.promise,
    async close() {
      clearInterval(beside)
      clearInterval(unread)
      await jobs.close({ graceMs: 100 })
      server.closeAllConnections()
      await new Promise((resolve) => server.close(resolve))
    }
  }
}

/** The bound for the growth of all browser processes, uncollected garbage included. */
const MAX_GROWTH_MB = 400
/** A higher bound where the engine needs it: this many times the growth of a bare reading. */
const MAX_RATIO = 2

/** Opens the page and follows the jobs to the end of the slow one. `memory` returns the browser's, in MB. */
export async function follows(run: Run, open: (url: string) => Promise<{ memory(): Promise<number> | number }>): Promise<Result> {
  const { origin, seen, close } = await serve(run)
  try {
    const first = seen()
    const { memory } = await open(`${origin}/`)
    await first
    const memoryMb = [await memory()]
    const startedAt = performance.now()
    for (;;) {
      const told = await seen()
      memoryMb.push(await memory())
      if (told.over || told.error) return { ...told, memoryMb, expected: hashOf(run.events), seconds: (performance.now() - startedAt) / 1000 }
    }
  } finally {
    await close()
  }
}

async function measure(name: EngineName, run: Run): Promise<Result> {
  let browser: Awaited<ReturnType<typeof showPage>> | undefined
  try {
    return await follows(run, async (url) => {
      browser = await showPage(name, url)
      return { memory: memoryOfChildrenMb }
    })
  } finally {
    await browser?.close()
  }
}

/** The growth since before the first read, in MB. */
export const growthMb = ({ memoryMb }: Result): number => Math.max(...memoryMb) - (memoryMb[0] ?? Number.NaN)

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      events: { type: 'string', default: '1000000' },
      engines: { type: 'string', default: installedEngines().join(',') },
      transports: { type: 'string', default: 'websocket;sse' },
      series: { type: 'boolean' }
    }
  })
  console.log(
    '| engine | transports | events | read | hash | seconds | let go | memory before, peak, end (MB) | other job: events, latest after (ms) | changes told without a reader |'
  )
  console.log('|---|---|---|---|---|---|---|---|---|---|')
  for (const name of values.engines.split(',') as EngineName[]) {
    const run = { events: Number(values.events), bytes: 1000, transports: ['websocket'] }
    const bare = await measure(name, { ...run, isBare: true })
    const maxGrowthMb = Math.max(MAX_GROWTH_MB, MAX_RATIO * growthMb(bare))
    report(name, 'bare', run, bare, Infinity)
    for (const transports of values.transports.split(';')) {
      const result = await measure(name, { ...run, transports: transports.split(',') })
      report(name, transports, run, result, maxGrowthMb)
      if (values.series) console.error(result.memoryMb.join(' '))
    }
  }
}

function report(name: EngineName, reader: string, run: Run, result: Result, maxGrowthMb: number): void {
  const { count, hash, expected, seconds, pauses, memoryMb, others, disordered, latestMs, changes, error } = result
  const isRight = count === run.events && hash === expected && disordered === 0 && !error && growthMb(result) < maxGrowthMb
  if (!isRight) process.exitCode = 1
  const cells = [
    name,
    reader,
    run.events,
    count,
    hash === expected ? 'same' : 'OTHER',
    seconds.toFixed(0),
    pauses,
    `${memoryMb[0]}, ${Math.max(...memoryMb)}, ${memoryMb.at(-1)}`,
    `${others}, ${latestMs}`,
    changes,
    ...(error ? [error] : [])
  ]
  console.log(`| ${cells.join(' | ')} |${isRight ? '' : ' WRONG'}`)
}

if (import.meta.main) await main()
