/** The servers that one page needs: a job server, the proxy before it, and a server that takes the page's reports. */

import { EventEmitter, once } from 'node:events'
import { readFile } from 'node:fs/promises'
import http from 'node:http'
import { stripTypeScriptTypes } from 'node:module'
import type { AddressInfo } from 'node:net'
import { json } from 'node:stream/consumers'
import { serveModule } from '../../demo/modules.ts'
import type { Path } from '../../demo/proxy/faults.ts'
import { createProxy, type FaultyProxy } from '../../demo/proxy.ts'
import type { WireEvent } from '../../src/protocol/frames.ts'
import { createJobServer, memoryLog } from '../../src/server/index.ts'
import type { Report } from './page.ts'

export const JOB = 'job-1'

export interface Stage {
  readonly proxy: FaultyProxy
  /** All that the page has reported. */
  readonly seen: Report
  pageUrl(transports: readonly (Path | 'ndjson')[], withFetch: boolean): string
  publish(type: string, data: unknown): Promise<WireEvent>
  /** Reads the job's whole log, without the proxy. */
  readLog(): Promise<WireEvent[]>
  /** Resolves when the page's reports fulfil the condition. */
  until(isTrue: (seen: Report) => boolean, signal: AbortSignal): Promise<void>
  close(): Promise<void>
}

const html = `<!doctype html>
<title>Jobtail</title>
<link rel="icon" href="data:,">
<script type="importmap">
  {
    "imports": {
      "jobtail": "/src/index.ts",
      "jobtail/core": "/src/core.ts",
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

const portOf = (server: http.Server): number => (server.address() as AddressInfo).port // as: it listens on a port

async function listen(server: http.Server): Promise<number> {
  await once(server.listen(0, '127.0.0.1'), 'listening')
  return portOf(server)
}

export async function startStage(): Promise<Stage> {
  const log = memoryLog()
  // Short polls pause for less than the default, since the jobs last a few seconds. Everything else is the default.
  const jobs = createJobServer({ log, shortPollPauseMs: 500 })
  const origin = http.createServer()
  jobs.attach(origin)
  const proxy = await createProxy({ target: `http://127.0.0.1:${await listen(origin)}`, elsewhere: (req, res) => void servePage(req, res) })

  const seen: Report = { fetchMs: undefined, startedAt: Number.NaN, events: [], diagnostics: [], over: undefined }
  const reports = new EventEmitter()
  const listener = http.createServer(async (req, res) => {
    const { events, diagnostics, ...rest } = (await json(req)) as Report // as: our own page's
    res.writeHead(204).end()
    seen.events.push(...events)
    seen.diagnostics.push(...diagnostics)
    Object.assign(seen, rest)
    reports.emit('report')
  })
  const reportUrl = `http://127.0.0.1:${await listen(listener)}/`

  return {
    proxy,
    seen,
    pageUrl(transports, withFetch) {
      const wishes = new URLSearchParams({ job: JOB, transports: transports.join(), report: reportUrl, ...(withFetch && { fetch: '1' }) })
      return `${proxy.url}/?${wishes}`
    },
    publish: (type, data) => jobs.publish(JOB, type, data),
    readLog: async () => (await log.read(JOB, undefined, 10_000))?.events ?? [],
    async until(isTrue, signal) {
      while (!isTrue(seen)) await once(reports, 'report', { signal })
    },
    async close() {
      await proxy.close()
      await jobs.close({ graceMs: 0 })
      for (const server of [origin, listener]) {
        server.closeAllConnections()
        server.close()
      }
    }
  }
}
