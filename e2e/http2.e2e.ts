/** HTTP/2 has no limit of six connections per origin: a page with more event streams than that, and a WebSocket beside them by HTTP/1.1. */

import { once } from 'node:events'
import type { ServerResponse } from 'node:http'
import http2, { type Http2SecureServer } from 'node:http2'
import type { AddressInfo } from 'node:net'
import type { Browser, Page } from 'playwright'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { serveModule } from '../demo/modules.ts'
import { createJobServer, type JobServer } from '../src/server/index.ts'
import { selfSigned } from '../test/server/adapters/certificate.ts'
import { browserNames, isInstalled, launchBrowser } from './browsers.ts'

const PAGE = `<!doctype html><title>HTTP/2</title><script type="importmap">${JSON.stringify({
  imports: { 'eventsource-parser': '/node_modules/eventsource-parser/dist/index.js', 'idb-keyval': '/node_modules/idb-keyval/dist/index.js' }
})}</script>`

const JOBS = Array.from({ length: 12 }, (_, index) => `job-${index}`)

let jobs: JobServer
let server: Http2SecureServer
let origin: string
/** The HTTP version and path of each request below /jobs. */
let versions: Set<string>

beforeEach(async () => {
  versions = new Set()
  jobs = createJobServer({
    maxJobsPerConnection: 1,
    authorize({ source: { node } }) {
      versions.add(`${node?.httpVersion}${node?.headers.upgrade ? ' upgrade' : ''}`)
      return true
    }
  })
  server = http2.createSecureServer({ ...selfSigned(), allowHTTP1: true }, (req, res) => {
    // as: the methods used here exist over HTTP/2 as well
    if (req.url !== '/') return void serveModule(req as never, res as unknown as ServerResponse)
    res.writeHead(200, { 'content-type': 'text/html' })
    res.end(PAGE)
  })
  jobs.attach(server)
  await once(server.listen(0, '127.0.0.1'), 'listening')
  origin = `https://127.0.0.1:${(server.address() as AddressInfo).port}` // as: it listens on a port
})

afterEach(async () => {
  await jobs.close({ graceMs: 0 })
  server.close()
})

describe.each(browserNames.filter(isInstalled))('%s', (name) => {
  let browser: Browser
  let page: Page
  beforeAll(async () => {
    browser = await launchBrowser(name)
  })
  afterAll(() => browser.close())
  beforeEach(async () => {
    page = await (await browser.newContext({ ignoreHTTPSErrors: true })).newPage()
    await page.goto(origin)
  })
  afterEach(() => page.context().close())

  /** Follows all jobs by this transport. Resolves with their events when all have ended. */
  const follow = (transport: 'sse' | 'webSocket'): Promise<string[][]> =>
    page.evaluate(`(async () => {
      const jobtail = await import('/src/index.ts')
      const client = jobtail.createClient({ url: '/jobs', transports: [jobtail.${transport}()], firstLook: false, memory: false })
      return Promise.all(${JSON.stringify(JOBS)}.map(async (id) => {
        const types = []
        for await (const { type } of client.subscribe(id)) types.push(type)
        return types
      }))
    })()`)

  it.each([
    ['sse', 'sse', '2.0'],
    ['webSocket', 'websocket', '1.1 upgrade']
  ] as const)('has twelve jobs at once by %s, each by a connection of its own', async (transport, kind, version) => {
    for (const id of JOBS) await jobs.publish(id, 'queued')
    const following = follow(transport)
    await Promise.race([following, expect.poll(() => jobs.metrics().connections[kind], { timeout: 60_000 }).toBe(JOBS.length)])
    for (const id of JOBS) await jobs.publish(id, 'succeeded')
    for (const types of await following) expect(types).toEqual(['queued', 'succeeded'])
    expect([...versions]).toContain(version)
  })
})
