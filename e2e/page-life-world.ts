/** A job server behind the proxy, and pages that are hidden, frozen, left and restored. */

import { createHash } from 'node:crypto'
import { once } from 'node:events'
import { readFile } from 'node:fs/promises'
import http from 'node:http'
import { stripTypeScriptTypes } from 'node:module'
import type { AddressInfo } from 'node:net'
import { expect } from 'vitest'
import { serveModule } from '../demo/modules.ts'
import { type Arrival, createProxy, type FaultyProxy } from '../demo/proxy.ts'
import type { WireEvent } from '../src/protocol/frames.ts'
import { createJobServer, memoryLog } from '../src/server/index.ts'
import type { JobServerOptions } from '../src/server/server-options.ts'

/** For conditions that may take a while on a busy machine. */
export const patiently = { timeout: 60_000 }

export interface Feed {
  /** How many events the job has by now. */
  readonly count: number
  /** Stops appending events. `stop` still appends the terminal one. */
  hold(): void
  /** Appends the terminal event. */
  stop(): Promise<void>
}

/** The part of a page that a test needs: it evaluates expressions. */
export interface Evaluated {
  evaluate<T>(expression: string): Promise<T>
}

export interface LifeWorld {
  readonly proxy: FaultyProxy
  /** The requests for jobs so far. */
  readonly arrivals: readonly Arrival[]
  /** How many connections for jobs are open. */
  readonly open: number
  /** The URL of a page that follows these jobs. */
  pageUrl(jobs: readonly string[], transports?: string): string
  /** The URL of a page that does nothing. */
  readonly elsewhere: string
  /** Starts to append events to a job, one every so many ms. */
  feed(job: string, everyMs: number): Feed
  /** Ends the job, waits for its end on the page, and compares the page's events with the server's log. */
  expectExact(page: Evaluated, job: string, feed: Feed): Promise<void>
  close(): Promise<void>
}

const html = `<!doctype html><title>life</title>
<script type="importmap">
{ "imports": {
  "jobtail": "/src/index.ts",
  "eventsource-parser": "/node_modules/eventsource-parser/dist/index.js",
  "idb-keyval": "/node_modules/idb-keyval/dist/index.js"
} }
</script>
<script type="module" src="/life.ts"></script>`

async function answer(req: http.IncomingMessage, res: http.ServerResponse): Promise<void> {
  const { pathname } = new URL(req.url ?? '/', 'http://localhost')
  if (pathname === '/') return void res.writeHead(200, { 'content-type': 'text/html' }).end(html)
  if (pathname === '/elsewhere') return void res.writeHead(200, { 'content-type': 'text/html' }).end('<!doctype html><title>elsewhere</title>')
  if (pathname !== '/life.ts') return serveModule(req, res)
  const source = await readFile(new URL('page-life-page.ts', import.meta.url), 'utf8')
  res.writeHead(200, { 'content-type': 'text/javascript' }).end(stripTypeScriptTypes(source, { mode: 'strip' }))
}

export async function createLifeWorld(options: JobServerOptions = {}): Promise<LifeWorld> {
  const log = memoryLog({ maxEvents: 50_000 })
  const jobs = createJobServer({ log, ...options })
  const origin = http.createServer()
  jobs.attach(origin)
  await once(origin.listen(0, '127.0.0.1'), 'listening')
  const { port } = origin.address() as AddressInfo // as: it listens on a port
  const arrivals: Arrival[] = []
  const proxy = await createProxy({
    target: `http://127.0.0.1:${port}`,
    elsewhere: (req, res) => void answer(req, res).catch((error) => res.writeHead(500).end(String(error))),
    onArrival: (arrival) => arrivals.push(arrival)
  })
  const holds = new Set<() => void>()

  function feed(job: string, everyMs: number): Feed {
    let count = 0
    let last: Promise<unknown> = Promise.resolve()
    const append = (): void => {
      count += 1
      last = jobs.publish(job, 'progress', { current: count, text: `${job} – ${'é\u2028'.repeat(count % 7)}` })
    }
    append()
    const timer = setInterval(append, everyMs)
    const hold = (): void => clearInterval(timer)
    holds.add(hold)
    return {
      hold,
      get count() {
        return count
      },
      async stop() {
        hold()
        await last
        await jobs.publish(job, 'succeeded', { count })
      }
    }
  }

  async function readLog(job: string): Promise<WireEvent[]> {
    const events: WireEvent[] = []
    for (;;) {
      const page = await log.read(job, events.at(-1)?.id, 1000)
      events.push(...(page?.events ?? []))
      if (!page?.more) return events
    }
  }

  return {
    proxy,
    arrivals,
    get open() {
      const { websocket, stream, request } = proxy.connections
      return websocket + stream + request
    },
    pageUrl: (list, transports) => `${proxy.url}/?jobs=${list.join(',')}${transports ? `&transports=${transports}` : ''}`,
    elsewhere: `${proxy.url}/elsewhere`,
    feed,
    async expectExact(page, job, { stop }) {
      await stop()
      await expect.poll(() => page.evaluate(`life.ended[${JSON.stringify(job)}]`), patiently).toBe('succeeded')
      const received = await page.evaluate<WireEvent[]>(`life.events[${JSON.stringify(job)}]`)
      const all = await readLog(job)
      expect(received.map(fingerprint)).toEqual(all.map(fingerprint))
      expect(all.map(({ seq }) => seq)).toEqual(all.map((_, index) => index + 1))
    },
    async close() {
      for (const hold of holds) hold()
      await proxy.close()
      await jobs.close({ graceMs: 0 })
      origin.closeAllConnections()
      await new Promise((resolve) => origin.close(resolve))
    }
  }
}

const fingerprint = ({ id, seq, type, data }: WireEvent): unknown[] => [id, seq, type, createHash('sha256').update(JSON.stringify(data)).digest('hex')]
