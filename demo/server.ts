/** The demo on one origin: the page, its modules, its code and the proxy's control. The job server is behind the proxy. */

import http from 'node:http'
import type { AddressInfo } from 'node:net'
import type { WireEvent } from '../src/protocol/frames.ts'
import { createJobServer, memoryLog } from '../src/server/index.ts'
import { answerCode } from './code.ts'
import { answerControl } from './control.ts'
import { runJob } from './jobs.ts'
import { serveModule } from './modules.ts'
import { type Arrival, createProxy, type FaultyProxy } from './proxy.ts'

export interface DemoOptions {
  /** 0: any free port. */
  port: number
  host: string
  onArrival?: (arrival: Arrival) => void
}

export interface Demo {
  readonly url: string
  readonly proxy: FaultyProxy
  /** Reads the whole log of a job, without the proxy. */
  readLog(jobId: string): Promise<WireEvent[]>
  close(): Promise<void>
}

/** Resolves when the demo listens; rejects if it can't. */
export async function startDemo({ port, host, onArrival }: DemoOptions): Promise<Demo> {
  const log = memoryLog({ maxEvents: 20_000 })
  const origin = http.createServer()
  // #region server
  const jobs = createJobServer({
    log,
    start: runJob,
    // The demo has no users: whoever reaches this port may start, read and cancel every job.
    authorize: () => ({ allow: true, subject: 'anybody' }),
    heartbeatMs: 2000
  })
  jobs.attach(origin)
  // #endregion
  await new Promise<void>((resolve) => origin.listen(0, '127.0.0.1', resolve))
  const { port: originPort } = origin.address() as AddressInfo // as: it listens on a port

  async function readLog(jobId: string): Promise<WireEvent[]> {
    const events: WireEvent[] = []
    for (let after: string | undefined; ; ) {
      const page = await log.read(jobId, after, 1000)
      if (!page) return events
      events.push(...page.events)
      after = page.events.at(-1)?.id
      if (!page.more || after === undefined) return events
    }
  }

  async function closeOrigin(): Promise<void> {
    await jobs.close({ graceMs: 1000 })
    origin.closeAllConnections()
    await new Promise((resolve) => origin.close(resolve))
  }

  async function answerElsewhere(req: http.IncomingMessage, res: http.ServerResponse): Promise<void> {
    const { pathname } = new URL(req.url ?? '/', 'http://localhost')
    if (pathname.startsWith('/_proxy')) return answerControl(proxy, req, res)
    if (pathname.startsWith('/_code/')) return answerCode(pathname.slice('/_code/'.length), res)
    if (!pathname.startsWith('/_log/')) return serveModule(req, res)
    const events = await readLog(decodeURIComponent(pathname.slice('/_log/'.length)))
    res.writeHead(200, { 'content-type': 'application/json', 'cache-control': 'no-store' }).end(JSON.stringify(events))
  }

  const proxy = await createProxy({
    target: `http://127.0.0.1:${originPort}`,
    port,
    host,
    elsewhere: (req, res) => {
      answerElsewhere(req, res).catch((error: unknown) => res.writeHead(500, { 'content-type': 'text/plain' }).end(`${error}\n`))
    },
    ...(onArrival && { onArrival })
  }).catch(async (error: unknown) => {
    await closeOrigin()
    throw error
  })

  return {
    url: proxy.url,
    proxy,
    readLog,
    async close() {
      await proxy.close()
      await closeOrigin()
    }
  }
}
