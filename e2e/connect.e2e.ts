/** Jobs followed by Connect and gRPC-Web in real browsers: over HTTP/2, and over HTTP/1.1 from another origin, cut in the middle. */

import { once } from 'node:events'
import type http from 'node:http'
import http2 from 'node:http2'
import https from 'node:https'
import type { AddressInfo, Socket } from 'node:net'
import { join } from 'node:path'
import { cors } from '@connectrpc/connect'
import { connectNodeAdapter } from '@connectrpc/connect-node'
import type { Browser, Page } from 'playwright'
import { rolldown } from 'rolldown'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { connectOptions } from '../src/server/connect.ts'
import { createJobServer, type JobServer } from '../src/server/index.ts'
import { selfSigned } from '../test/server/adapters/certificate.ts'
import { browserNames, isInstalled, launchBrowser } from './browsers.ts'

/** What the page runs. `seen` has the events so far. */
const PAGE = `
import { createConnectTransport, createGrpcWebTransport } from '@connectrpc/connect-web'
import { connect } from '${join(import.meta.dirname, '../src/connect.ts')}'
import { createClient } from '${join(import.meta.dirname, '../src/index.ts')}'
const transports = { Connect: createConnectTransport, 'gRPC-Web': createGrpcWebTransport }
globalThis.follow = async (protocol, url) => {
  const tokens = ['old', 'new']
  const backend = connect({ transport: transports[protocol] })
  const client = createClient({ url, backend, token: () => tokens.shift() ?? 'new', memory: false, retry: { baseMs: 10, maxMs: 100 } })
  globalThis.seen = []
  const job = await client.start({ year: 2026 })
  for await (const { type, seq } of job) seen.push(type + ' ' + seq)
  return job.result
}`

/** The headers that let a page of another origin call the service. */
const CORS = {
  'access-control-allow-methods': cors.allowedMethods.join(),
  'access-control-allow-headers': [...cors.allowedHeaders, 'authorization'].join(),
  'access-control-expose-headers': [...cors.exposedHeaders, 'retry-after'].join(),
  'access-control-max-age': '7200'
}

let script: string
beforeAll(async () => {
  const build = await rolldown({
    input: 'page',
    plugins: [
      {
        name: 'page',
        resolveId: (id) => (id === 'page' ? join(import.meta.dirname, 'page.ts') : null),
        load: (id) => (id.endsWith('e2e/page.ts') ? PAGE : null)
      }
    ]
  })
  script = (await build.generate({ format: 'iife' })).output[0].code
  await build.close()
})

let jobs: JobServer
let origin: string
let elsewhere: string
let servers: (http2.Http2SecureServer | https.Server)[]
let sockets: Set<Socket>
/** The HTTP version of each call. */
let versions: Set<string>

beforeEach(async () => {
  versions = new Set()
  sockets = new Set()
  jobs = createJobServer({
    authorize({ request, source: { node } }) {
      versions.add(`${node?.httpVersion}`)
      return request.headers.get('authorization') === 'Bearer new' ? { allow: true, subject: 'ann' } : { status: 401 }
    },
    origins: (page) => page === origin,
    start: (job) =>
      new Promise(
        (resolve) =>
          void (async () => {
            for (let step = 1; step <= 5; step++) {
              await job.output(step)
              await new Promise<void>((next) => proceed.push(next))
            }
            resolve({ done: true })
          })()
      )
  })
  const options = connectOptions(jobs)
  const handler = connectNodeAdapter({
    ...options,
    fallback: (_, res) =>
      void (res as http.ServerResponse)
        .writeHead(200, { 'content-type': 'text/html' })
        .end(`<!doctype html><script>${script.replaceAll('</script', '<\\/script')}</script>`)
  })
  const withCors: http.RequestListener = (req, res) => {
    res.setHeader('access-control-allow-origin', origin)
    for (const [name, value] of Object.entries(CORS)) res.setHeader(name, value)
    if (req.method === 'OPTIONS') res.writeHead(204).end()
    else handler(req, res)
  }
  servers = [http2.createSecureServer(selfSigned(), handler), https.createServer(selfSigned(), withCors)]
  for (const server of servers) {
    server.on('connection', (socket: Socket) => sockets.add(socket))
    await once(server.listen(0, '127.0.0.1'), 'listening')
  }
  ;[origin, elsewhere] = servers.map((server) => `https://127.0.0.1:${(server.address() as AddressInfo).port}`) as [string, string] // as: two that listen on ports
})

/** What makes each job that runs do its next step. */
const proceed: (() => void)[] = []

afterEach(async () => {
  for (const next of proceed.splice(0)) next()
  await jobs.close({ graceMs: 0 })
  for (const socket of sockets) socket.destroy()
  for (const server of servers) server.close()
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

  const seen = (): Promise<string[]> => page.evaluate('globalThis.seen ?? []')

  it.each([
    ['Connect', 'HTTP/2', '2.0'],
    ['gRPC-Web', 'HTTP/1.1 and from another origin', '1.1']
  ] as const)('by %s over %s, a job is started and each of its events is seen once, though all is cut in the middle', async (protocol, _, version) => {
    const result = page.evaluate(`follow('${protocol}', '${version === '2.0' ? '/' : `${elsewhere}/`}')`)
    for (let step = 1; step <= 5; step++) {
      await Promise.race([result, expect.poll(seen, { timeout: 60_000 }).toHaveLength(step + 2)])
      if (step === 3) for (const socket of sockets) socket.destroy()
      await expect.poll(() => proceed.length, { timeout: 60_000 }).toBe(1)
      proceed.pop()?.()
    }
    expect(await result).toEqual({ done: true })
    expect(await seen()).toEqual(['queued 1', 'started 2', 'output 3', 'output 4', 'output 5', 'output 6', 'output 7', 'succeeded 8'])
    expect([...versions]).toEqual([version])
  })
})
