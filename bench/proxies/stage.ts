/** A job server with the page that follows its jobs, and a server that takes the page's reports. */

import { EventEmitter, once } from 'node:events'
import { readFile } from 'node:fs/promises'
import http from 'node:http'
import { stripTypeScriptTypes } from 'node:module'
import type { AddressInfo } from 'node:net'
import { json } from 'node:stream/consumers'
import { serveModule } from '../../demo/modules.ts'
import type { WireEvent } from '../../src/protocol/frames.ts'
import { createJobServer, memoryLog } from '../../src/server/index.ts'
import type { Told, Who } from './page.ts'

export interface Stage {
  /** The job server's port. */
  readonly upstream: number
  readonly reportPort: number
  pageUrl(origin: string, limitMs: number): string
  publish(job: string, type: string, data: unknown): Promise<WireEvent>
  readLog(job: string): Promise<WireEvent[]>
  /** `begun` resolves when this follower has begun, `over` with its last report. */
  begun(who: Who, signal: AbortSignal): Promise<void>
  over(who: Who, signal: AbortSignal): Promise<Told>
  close(): Promise<void>
}

const html = `<!doctype html>
<title>Jobtail</title>
<link rel="icon" href="data:,">
<script type="importmap">
  {
    "imports": {
      "jobtail": "/src/index.ts",
      "eventsource-parser": "/node_modules/eventsource-parser/dist/index.js",
      "idb-keyval": "/node_modules/idb-keyval/dist/index.js"
    }
  }
</script>
<script type="module" src="/page.ts"></script>
`

async function servePage(req: http.IncomingMessage, res: http.ServerResponse): Promise<void> {
  const { pathname } = new URL(req.url ?? '/', 'http://localhost')
  if (pathname === '/') return void res.writeHead(200, { 'content-type': 'text/html; charset=utf-8' }).end(html)
  if (pathname !== '/page.ts') return serveModule(req, res)
  const text = await readFile(new URL('page.ts', import.meta.url), 'utf8')
  res.writeHead(200, { 'content-type': 'text/javascript; charset=utf-8' }).end(stripTypeScriptTypes(text))
}

async function listen(server: http.Server): Promise<number> {
  await once(server.listen(0, '127.0.0.1'), 'listening')
  return (server.address() as AddressInfo).port // as: it listens on a port
}

export async function startStage(): Promise<Stage> {
  const log = memoryLog()
  const jobs = createJobServer({ log, start: () => 'done' })
  const server = http.createServer((req, res) => {
    if (!req.url?.startsWith('/jobs')) void servePage(req, res)
  })
  jobs.attach(server)

  const told: Told[] = []
  const reports = new EventEmitter()
  const listener = http.createServer(async (req, res) => {
    told.push((await json(req)) as Told) // as: our own page's
    res.writeHead(204).end()
    reports.emit('report')
  })
  const [upstream, reportPort] = [await listen(server), await listen(listener)]

  async function until(isIt: (told: Told) => boolean, signal: AbortSignal): Promise<Told> {
    for (;;) {
      const found = told.find(isIt)
      if (found) return found
      await once(reports, 'report', { signal })
    }
  }

  return {
    upstream,
    reportPort,
    pageUrl: (origin, limitMs) => `${origin}/?${new URLSearchParams({ report: `http://127.0.0.1:${reportPort}/`, limit: String(limitMs) })}`,
    publish: (job, type, data) => jobs.publish(job, type, data),
    readLog: async (job) => (await log.read(job, undefined, 10_000))?.events ?? [],
    begun: async (who, signal) => void (await until((each) => each.who === who, signal)),
    over: (who, signal) => until((each) => each.who === who && each.over !== undefined, signal),
    async close() {
      await jobs.close({ graceMs: 0 })
      for (const each of [server, listener]) {
        each.closeAllConnections()
        each.close()
      }
    }
  }
}
