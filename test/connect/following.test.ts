/** The client and the kit by every protocol and HTTP version that Connect has: what is read, started, cancelled and refused. */

import http from 'node:http'
import { createConnectTransport, createGrpcTransport, createGrpcWebTransport } from '@connectrpc/connect-node'
import { createConnectTransport as createWebTransport } from '@connectrpc/connect-web'
import { describe, expect, onTestFinished, test, vi } from 'vitest'
import { connect } from '../../src/connect.ts'
import { createClient, sse } from '../../src/index.ts'
import type { JobServerOptions } from '../../src/server/index.ts'
import type { ClientOptions, JobEvent } from '../../src/types.ts'
import { serve } from '../backends/foreign-server.ts'
import { allOf, follower, serveConnect, web } from './serve.ts'

type Transport = Parameters<typeof connect>[0]['transport']

/** Each protocol with an HTTP version. A page has the first two; Node's client has HTTP/2 without TLS. */
const WAYS: readonly (readonly [name: string, version: 1 | 2, transport: Transport])[] = [
  ['Connect over HTTP/1.1', 1, web.Connect],
  ['gRPC-Web over HTTP/1.1', 1, web['gRPC-Web']],
  ['Connect over HTTP/2', 2, ({ baseUrl }) => createConnectTransport({ baseUrl, httpVersion: '2' })],
  ['gRPC-Web over HTTP/2', 2, ({ baseUrl }) => createGrpcWebTransport({ baseUrl, httpVersion: '2' })],
  ['gRPC over HTTP/2', 2, ({ baseUrl }) => createGrpcTransport({ baseUrl })]
]

async function stage(transport: Transport, version: 1 | 2, options: JobServerOptions = {}, clientOptions: ClientOptions = {}) {
  const served = await serveConnect(options, version)
  const client = follower(served.url, transport, clientOptions)
  onTestFinished(async () => {
    client.close()
    await served.close()
  })
  return { ...served, client }
}

const brief = (events: readonly JobEvent[]) => events.map(({ seq, type, data }) => [seq, type, data])

describe.each(WAYS)('%s', (_, version, transport) => {
  test('a job is started, followed to its end, and has the events that an event stream has', async () => {
    const { client, jobs } = await stage(transport, version, {
      async start(job, input) {
        await job.progress({ current: 1, total: 2 })
        await job.output(input)
        return { url: '/report.pdf' }
      }
    })
    const job = await client.start({ year: 2026 })
    const events: JobEvent[] = []
    for await (const event of job) events.push(event)
    expect(events.map(({ type }) => type)).toEqual(['queued', 'started', 'progress', 'output', 'succeeded'])
    expect(await job.result).toEqual({ url: '/report.pdf' })
    const { events: logged = [] } = (await jobs.log.read(job.jobId, undefined, 10)) ?? {}
    expect(events.map(({ id, seq, time }) => [id, seq, time])).toEqual(logged.map(({ id, seq, time }) => [id, seq, time]))
    expect(events[3]?.data).toEqual({ year: 2026 })
  })

  test('several jobs share one call, and each goes on from its cursor', async () => {
    const { client, jobs } = await stage(transport, version)
    for (const id of ['a', 'b']) for (const step of [1, 2]) await jobs.publish(id, 'output', step)
    const after = (await jobs.log.read('b', undefined, 1))?.events[0]?.id ?? ''
    const had: Record<string, unknown[]> = { a: [], b: [] }
    const read = async (id: string, options = {}) => {
      for await (const { type, data } of client.subscribe(id, options)) had[id]?.push(type === 'output' ? data : type)
    }
    const both = Promise.all([read('a'), read('b', { after })])
    await vi.waitFor(() => expect(had).toEqual({ a: [1, 2], b: [2] }), { timeout: 15_000 })
    await vi.waitFor(() => expect(jobs.metrics().connections.connect).toBe(1), { timeout: 15_000 })
    for (const id of ['a', 'b']) await jobs.publish(id, 'succeeded')
    await both
    expect(had).toEqual({ a: [1, 2, 'succeeded'], b: [2, 'succeeded'] })
    await vi.waitFor(() => expect(jobs.metrics().connections).toMatchObject({ connect: 0, 'short-poll': 0 }))
  })

  test('a job is cancelled', async () => {
    const { client } = await stage(transport, version, {
      start: (job) => new Promise((_, reject) => job.signal.addEventListener('abort', () => reject(job.signal.reason)))
    })
    const job = await client.start(undefined)
    await job.cancel()
    const types: string[] = []
    for await (const { type } of job) types.push(type)
    expect(types.slice(-2)).toEqual(['cancelling', 'cancelled'])
  })

  test.each([
    ['unauthorized', { authorize: () => ({ status: 401 }) as const }, 401],
    ['forbidden', { authorize: () => ({ status: 403 }) as const }, 403],
    ['unknown-job', {}, 404]
  ] as const)('%s is thrown as it is by HTTP', async (code, options, status) => {
    const { client } = await stage(transport, version, options, { unknownJobGraceMs: 1 })
    await expect(client.subscribe('none')[Symbol.asyncIterator]().next()).rejects.toMatchObject({ name: 'JobtailError', code, status })
  })
})

test('an event is the same to the last character, whatever its data', async () => {
  const { client, jobs, url } = await stage(web.Connect, 1)
  const deep = JSON.parse(`${'['.repeat(500)}1${']'.repeat(500)}`)
  const data = [
    null,
    0.1,
    -5e-324,
    2 ** 53,
    '',
    '\u0000\u2028',
    'ü'.repeat(70_000),
    'half \ud800',
    deep,
    JSON.parse('{"__proto__":{"polluted":1},"":[]}'),
    { 'a\ud83d': 1 }
  ]
  for (const each of data) await jobs.publish('42', 'output', each)
  await jobs.publish('42', 'succeeded')
  const http = createClient({ url: `${url}jobs`, transports: [sse()], firstLook: false, memory: false })
  onTestFinished(() => http.close())
  const [byConnect, byHttp] = await Promise.all([client, http].map(async (each) => allOf(each.subscribe('42') as AsyncIterable<JobEvent>)))
  expect(JSON.stringify(byConnect)).toBe(JSON.stringify(byHttp))
  expect(brief(byConnect ?? []).slice(0, -1)).toEqual(data.map((each, index) => [index + 1, 'output', each]))
})

test('its transports stand in a list with those of HTTP, which hand over to each other', async () => {
  const { jobs, url, server } = await stage(web.Connect, 1)
  const byConnect = connect({ transport: web.Connect, baseUrl: '/' }).transports
  const client = createClient({ url: `${url}jobs`, transports: [...byConnect, sse()], firstLook: false, memory: false, retry: { baseMs: 10, maxMs: 50 } })
  onTestFinished(() => client.close())
  const steps: unknown[] = []
  const done = (async () => {
    for await (const { type, data } of client.subscribe('42')) steps.push(type === 'output' ? data : type)
  })()
  await jobs.publish('42', 'output', 1)
  await vi.waitFor(() => expect(steps).toEqual([1]), { timeout: 15_000 })
  expect(jobs.metrics().connections).toMatchObject({ connect: 1, sse: 0 })
  // From now on nothing answers calls, as behind a proxy that lets GET through alone; and what is open is cut.
  server.prependListener('request', ({ method, socket }) => {
    if (method === 'POST') socket.destroy()
  })
  if ('closeAllConnections' in server) server.closeAllConnections()
  await jobs.publish('42', 'output', 2)
  await vi.waitFor(() => expect(steps).toEqual([1, 2]), { timeout: 15_000 })
  expect(jobs.metrics().connections).toMatchObject({ connect: 0, sse: 1 })
  await jobs.publish('42', 'succeeded')
  await done
  expect(steps).toEqual([1, 2, 'succeeded'])
})

test('a proxy that answers with pages of 502 at first starts nothing twice, and lets an event of 5 MB through, in JSON', async () => {
  const big = 'ü'.repeat(2_500_000)
  const transport: Transport = (options) => createWebTransport({ ...options, useBinaryFormat: false })
  const { url, jobs } = await stage(transport, 1, { start: () => big })
  let bad = 0
  const proxy = await serve((req, res) => {
    if (bad-- > 0) return void res.writeHead(502, { 'content-type': 'text/html' }).end('<h1>Bad gateway</h1>')
    const { method, headers } = req
    const passed = http.request(new URL(req.url ?? '', url), { method, headers }, (answer) => {
      answer.pipe(res.writeHead(answer.statusCode ?? 500, answer.headers))
    })
    req.pipe(passed.on('error', () => res.destroy()))
  }, '/')
  onTestFinished(proxy.close)
  const client = follower(proxy.url, transport)
  onTestFinished(() => client.close())
  bad = 2
  const job = await client.start({})
  bad = 2
  expect(await job.result).toBe(big)
  expect(jobs.metrics().outcomes.succeeded).toBe(1)
})

test.each([
  [{}, 'transport: expected function or object with methods unary, stream, got undefined'],
  [{ transport: 'connect' }, 'transport: expected function or object with methods unary, stream, got "connect"'],
  [{ transport: web.Connect, timeoutMs: 0 }, 'timeoutMs: expected number from 1, got 0'],
  [{ transport: web.Connect, baseURL: '/' }, 'option: expected one of transport, baseUrl, timeoutMs, got "baseURL"']
])('connect(%o) is refused', (options, message) => {
  expect(() => connect(options as never)).toThrow(expect.objectContaining({ code: 'bad-request', message })) // as: a caller without types
})
