import { once } from 'node:events'
import http from 'node:http'
import http2 from 'node:http2'
import type { AddressInfo } from 'node:net'
import { connect } from 'node:net'
import { describe, expect, onTestFinished, test, vi } from 'vitest'
import { createJobServer } from '../../src/server/index.ts'
import type { JobServerOptions } from '../../src/server/server-options.ts'
import type { JobServer } from '../../src/server/types.ts'
import { openSocket, openStream } from './clients.ts'
import { createGate } from './gate.ts'
import { serve } from './serve.ts'

function create(options: JobServerOptions = {}): JobServer {
  const jobs = createJobServer({ onError: () => {}, ...options })
  onTestFinished(() => jobs.close({ graceMs: 100 }))
  return jobs
}

async function listen(server: http.Server | http2.Http2Server): Promise<number> {
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  onTestFinished(() => {
    if ('closeAllConnections' in server) server.closeAllConnections()
    server.close()
  })
  return (server.address() as AddressInfo).port // as: it listens on TCP
}

describe('Node', () => {
  test('attach answers 404 outside basePath, unless there is another listener', async () => {
    const { base, server } = await serve({ basePath: '/api/jobs/' })
    const root = new URL('/', base)
    expect((await fetch(root)).status).toBe(404)
    expect((await fetch(new URL('/api/jobsx/a', root))).status).toBe(404)
    expect((await fetch(new URL('/api/jobs/a', root))).headers.get('content-type')).toBe('application/problem+json')
    server.on('request', (req, res) => {
      if (!req.url?.startsWith('/api/jobs')) res.end('the page')
    })
    expect(await (await fetch(root)).text()).toBe('the page')
  })

  test('attach leaves handshakes outside basePath to another listener', async () => {
    const { server, port } = await serve()
    const others: (string | undefined)[] = []
    server.on('upgrade', (req, socket) => {
      if (req.url?.startsWith('/jobs')) return
      others.push(req.url)
      socket.destroy()
    })
    await expect(openSocket(`http://127.0.0.1:${port}/other`).closed).rejects.toThrow()
    expect(await openSocket(`http://127.0.0.1:${port}/jobs/none/events`).closed).toBe(4404)
    expect(others).toEqual(['/other'])
  })

  test('attach comes before existing listeners, for requests and handshakes', async () => {
    const jobs = create()
    await jobs.publish('a', 'queued')
    const seen: (string | undefined)[] = []
    const server = http.createServer((req, res) => {
      seen.push(req.url)
      res.writeHead(404).end()
    })
    server.on('upgrade', (req, socket) => {
      seen.push(req.url)
      socket.destroy()
    })
    jobs.attach(server)
    const base = `http://127.0.0.1:${await listen(server)}`
    expect((await fetch(`${base}/jobs/a`)).status).toBe(200)
    const socket = openSocket(`${base}/jobs/a/events`)
    await vi.waitFor(() => expect(socket.events()).toHaveLength(1))
    await fetch(`${base}/page`)
    await expect(openSocket(`${base}/other`).closed).rejects.toThrow()
    expect(seen).toEqual(['/page', '/other'])
  })

  test('two job servers on one server each answer under their own path', async () => {
    const server = http.createServer()
    for (const basePath of ['/a', '/b']) {
      const jobs = create({ basePath })
      await jobs.publish(basePath.slice(1), 'queued')
      jobs.attach(server)
    }
    const base = `http://127.0.0.1:${await listen(server)}`
    for (const name of ['a', 'b']) expect(await (await fetch(`${base}/${name}/${name}`)).json()).toMatchObject({ id: name })
    expect((await fetch(`${base}/c`)).status).toBe(404)
  })

  test('an answer by another listener is reported, and breaks nothing', async () => {
    const onError = vi.fn()
    const gate = createGate()
    const { jobs, get, server } = await serve({ onError, log: gate.log })
    await jobs.publish('a', 'queued')
    server.on('request', (_, res) => res.end('mine'))
    for (const accept of ['application/json', 'text/event-stream']) expect(await (await get('/a/events', { accept })).text()).toBe('mine')
    await vi.waitFor(() => expect(onError).toHaveBeenCalledTimes(2))
    expect(onError.mock.calls[0]).toEqual([
      new Error('GET /jobs/a/events: another listener has answered the request; call `attach` after that listener is added')
    ])
    await vi.waitFor(() => expect(gate.watching()).toBe(0))
  })

  test.each([
    ['an object', { a: 'ü' }, { a: 'ü' }],
    ['text', '{"a":1}', { a: 1 }],
    ['bytes', Buffer.from('[1]'), [1]]
  ])('a body that a parser has made %s before is taken as it is', async (_, body, input) => {
    const jobs = create({ start: (job) => job.id, maxBodyBytes: 10 })
    const started = vi.fn((_job: unknown, input: unknown) => input)
    const other = create({ start: started })
    const server = http.createServer(async (req, res) => {
      for await (const _chunk of req);
      const { handle } = req.headers['x-small'] ? jobs : other
      handle(Object.assign(req, { body: req.headers['x-large'] ? 'x'.repeat(11) : body }), res)
    })
    const base = `http://127.0.0.1:${await listen(server)}/jobs`
    expect((await fetch(base, { method: 'POST', body: '{}' })).status).toBe(202)
    expect(started.mock.calls[0]?.[1]).toEqual(input)
    expect((await fetch(base, { method: 'POST', body: '{}', headers: { 'x-small': '1', 'x-large': '1' } })).status).toBe(413)
  })

  test('a body that was read before and is nowhere to be found is an error, not a job without input', async () => {
    const onError = vi.fn()
    const start = vi.fn()
    const jobs = create({ onError, start })
    const server = http.createServer(async (req, res) => {
      for await (const _chunk of req);
      jobs.handle(req, res)
    })
    expect((await fetch(`http://127.0.0.1:${await listen(server)}/jobs`, { method: 'POST', body: '{}' })).status).toBe(500)
    expect(onError).toHaveBeenCalledWith(expect.objectContaining({ message: expect.stringContaining('in front of the job server') }))
    expect(start).not.toHaveBeenCalled()
  })

  test('handle and upgrade are bound; next is called outside basePath; a router that strips its path is recognised', async () => {
    const { handle, upgrade, publish } = create({ basePath: '/jobs' })
    await publish('a', 'queued')
    const server = http.createServer((req, res) => {
      if (req.url?.startsWith('/jobs')) Object.assign(req, { originalUrl: req.url, url: req.url.slice(5) || '/' })
      handle(req, res, () => res.end('next'))
    })
    server.on('upgrade', upgrade)
    const base = `http://127.0.0.1:${await listen(server)}`
    expect(await (await fetch(`${base}/page`)).text()).toBe('next')
    expect(await (await fetch(`${base}/jobs/a`)).json()).toMatchObject({ id: 'a' })
    const socket = openSocket(`${base}/jobs/a/events`)
    await vi.waitFor(() => expect(socket.events()).toHaveLength(1))
  })

  test('basePath "/" serves the whole server', async () => {
    const jobs = create({ basePath: '/', start: () => 1 })
    await jobs.publish('a', 'queued')
    const server = http.createServer(jobs.handle)
    const base = `http://127.0.0.1:${await listen(server)}`
    expect(await (await fetch(`${base}/a`)).json()).toMatchObject({ id: 'a' })
    const started = await fetch(base, { method: 'POST', body: '1' })
    expect(started.headers.get('location')).toMatch(/^\/[\w-]+$/)
  })

  test.each([
    ['GET //evil/jobs/a HTTP/1.1\r\nHost: x', 404],
    ['GET /jobs/a HTTP/1.1\r\nHost: a b', 400],
    ['GET /jobs/a HTTP/1.1\r\nHost: user:pass@x', 400],
    ['GET http://x/jobs/none HTTP/1.1\r\nHost: x', 404],
    ['TRACE /jobs/a HTTP/1.1\r\nHost: x', 400]
  ])('unusual requests are answered: %s', async (head, status) => {
    const { port } = await serve()
    const socket = connect(port, '127.0.0.1')
    onTestFinished(() => void socket.destroy())
    socket.write(`${head}\r\nConnection: close\r\n\r\n`)
    const [data] = await once(socket, 'data')
    expect(String(data)).toMatch(new RegExp(`^HTTP/1.1 ${status} `))
  })

  test('HTTP/2: a stream, a JSON reading', async () => {
    const jobs = create()
    const server = http2.createServer(jobs.handle)
    const port = await listen(server)
    await jobs.publish('a', 'queued')
    const session = http2.connect(`http://127.0.0.1:${port}`)
    onTestFinished(() => session.destroy())
    const stream = session.request({ ':path': '/jobs/a/events', accept: 'text/event-stream' })
    const [headers] = await once(stream, 'response')
    expect(headers).toMatchObject({ ':status': 200, 'content-type': 'text/event-stream; charset=utf-8' })
    let text = ''
    stream.on('data', (data) => {
      text += data
    })
    await vi.waitFor(() => expect(text).toContain('"type":"queued"'))
    await jobs.publish('a', 'succeeded')
    await once(stream, 'end')
    expect(text).toContain('"control":"done"')
  })

  test('a client that aborts its body disturbs nobody', async () => {
    const onError = vi.fn()
    const { port, get } = await serve({ start: () => 1, onError })
    const socket = connect(port, '127.0.0.1')
    socket.write('POST /jobs HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n{"a":')
    await once(socket, 'connect')
    socket.resetAndDestroy()
    expect((await get('/none')).status).toBe(404)
    expect(onError).not.toHaveBeenCalled()
  })
})

describe('fetch', () => {
  const request = (path: string, init?: RequestInit) => new Request(`http://localhost/jobs${path}`, init)
  const sse = { accept: 'text/event-stream' }

  test('serves every resource except WebSocket', async () => {
    const { fetch, publish } = create({ start: (_, input) => input })
    await publish('a', 'succeeded', 1)
    expect(await (await fetch(request('/a'))).json()).toMatchObject({ status: 'succeeded' })
    expect(await (await fetch(request('/a/events'))).json()).toMatchObject({ events: [{ seq: 1 }] })
    const started = await fetch(request('', { method: 'POST', body: '{"ü":1}' }))
    expect(started.status).toBe(202)
    const { id } = await started.json()
    const stream = await fetch(request(`/${id}/events`, { headers: sse }))
    expect(stream.headers.get('content-type')).toBe('text/event-stream; charset=utf-8')
    expect(await stream.text()).toContain('"data":{"ü":1}')
    expect((await fetch(new Request('http://localhost/other'))).status).toBe(404)
    expect((await fetch(request('/a/events?after=tail', { headers: sse }))).status).toBe(204)
  })

  test('answers a body beyond maxBodyBytes with 413', async () => {
    const { fetch } = create({ start: () => 1, maxBodyBytes: 10 })
    expect((await fetch(request('', { method: 'POST', body: 'x'.repeat(11) }))).status).toBe(413)
  })

  test('releases a stream that is cancelled or whose request is aborted', async () => {
    const gate = createGate()
    const { fetch, publish } = create({ log: gate.log })
    for (const job of ['a', 'b', 'c']) await publish(job, 'queued')
    const abort = new AbortController()
    const first = await fetch(request('/a/events', { headers: sse }))
    const second = await fetch(request('/b/events', { headers: sse, signal: abort.signal }))
    const poll = fetch(request('/c/events?after=tail&wait=55', { signal: abort.signal }))
    await vi.waitFor(() => expect(gate.watching()).toBe(3))
    await first.body?.cancel()
    await vi.waitFor(() => expect(gate.watching()).toBe(2))
    abort.abort()
    await vi.waitFor(() => expect(gate.watching()).toBe(0))
    expect((await poll).status).toBe(200)
    await second.text()
  })

  test('reads nothing ahead of the reader, and one that stops reading gets bye slow', async () => {
    const gate = createGate()
    const { fetch, publish } = create({ log: gate.log, heartbeatMs: 50, maxBufferedBytes: 1000 })
    for (let n = 0; n < 1000; n += 1) await publish('a', 'output', 'x'.repeat(1000))
    const response = await fetch(request('/a/events', { headers: sse }))
    const reader = response.body?.getReader()
    const first = await reader?.read()
    expect(String(new TextDecoder().decode(first?.value))).toContain('"control":"hello"')
    await vi.waitFor(() => expect(gate.watching()).toBe(0), { timeout: 5000 })
    expect(gate.eventsRead()).toBeLessThan(300)
    const last = await reader?.read()
    expect(new TextDecoder().decode(last?.value)).toContain('"reason":"slow"')
    expect(await reader?.read()).toMatchObject({ done: true })
  })
})

test('stops a native EventSource, which knows only id and data, at the end with a 204', async () => {
  const { jobs, base } = await serve()
  await jobs.run('42', (job) => job.progress({ ratio: 1 }))
  const stream = await openStream(`${base}/42/events`)
  await stream.ended
  const last = stream.messages().findLast(({ id }) => id !== undefined)
  const again = await openStream(`${base}/42/events`, { 'last-event-id': last?.id ?? '' })
  expect(again.response.status).toBe(204)
})
