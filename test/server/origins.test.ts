/** Which pages may use the server: by `Host`, by `Origin`, by `Sec-Fetch-Site`. */

import { once } from 'node:events'
import http from 'node:http'
import { describe, expect, onTestFinished, test, vi } from 'vitest'
import { WebSocket } from 'ws'
import { createJobServer } from '../../src/server/index.ts'
import type { JobServerOptions } from '../../src/server/server-options.ts'
import { openRaw, UPGRADE } from './defence/raw.ts'
import { serve } from './serve.ts'

type Headers = Record<string, string>

interface Answered {
  status: number
  detail: string
}

/** `fetch` doesn't let its caller set `Host` and the headers that only browsers set. */
async function send(port: number, method: string, path: string, headers: Headers): Promise<Answered & { headers: http.IncomingHttpHeaders }> {
  const request = http.request({ port, host: '127.0.0.1', method, path, headers, setHost: !('host' in headers) })
  request.end()
  const [response]: http.IncomingMessage[] = await once(request, 'response')
  let body = ''
  for await (const chunk of response ?? []) body += chunk
  const detail = response?.headers['content-type'] === 'application/problem+json' && body ? JSON.parse(body).detail : ''
  return { status: response?.statusCode ?? 0, detail, headers: response?.headers ?? {} }
}

async function handshake(port: number, headers: Headers): Promise<Answered> {
  const lines = Object.entries({ host: 'x', ...headers }).map(([name, value]) => `${name}: ${value}\r\n`)
  const raw = await openRaw(port, `GET /jobs/42/events HTTP/1.1\r\n${lines.join('')}${UPGRADE}`)
  await vi.waitFor(() => expect(raw.text()).toMatch(/^HTTP\/1.1 \d+ /), { timeout: 15_000 })
  const status = Number(raw.text().slice(9, 12))
  if (status !== 101) await raw.closed
  raw.socket.destroy()
  return { status, detail: status === 101 ? '' : JSON.parse(raw.text().split('\r\n\r\n')[1] ?? '').detail }
}

async function stage(options: JobServerOptions = {}) {
  const served = await serve({ start: () => 1, ...options })
  await served.jobs.publish('42', 'queued')
  return {
    ...served,
    /** Resolves with the statuses of a start, a cancel and a handshake. */
    all: async (headers: Headers) => {
      const { port } = served
      return [
        (await send(port, 'POST', '/jobs', headers)).status,
        (await send(port, 'POST', '/jobs/42/cancel', headers)).status,
        (await handshake(port, headers)).status
      ]
    }
  }
}

const YES = [202, 202, 101]
const NO = [403, 403, 403]

describe('the own origin', () => {
  test.each([
    ['app.example', 'https://app.example', YES],
    ['app.example', 'http://app.example', YES],
    ['app.example:443', 'https://app.example', YES],
    ['app.example:80', 'http://app.example', YES],
    ['app.example', 'https://app.example:443', YES],
    ['APP.Example', 'https://app.example', YES],
    ['app.example.', 'https://app.example', YES],
    ['app.example', 'https://app.example.', YES],
    ['app.example:8443', 'https://app.example:8443', YES],
    ['[::1]:8080', 'http://[::1]:8080', YES],
    ['xn--bcher-kva.example', 'https://xn--bcher-kva.example', YES],
    ['app.example', 'https://app.example:8443', NO],
    ['app.example:8443', 'https://app.example', NO],
    ['app.example:8080', 'https://app.example:8443', NO],
    ['app.example', 'https://evil.example', NO],
    ['app.example', 'https://app.example.evil', NO],
    ['app.example', 'https://x.app.example', NO],
    ['app.example', 'null', NO],
    ['app.example', 'capacitor://app.example', NO],
    ['app.example', 'https://app.example@evil.example', NO]
  ])('Host %s, Origin %s', async (host, origin, expected) => {
    expect(await (await stage()).all({ host, origin })).toEqual(expected)
  })

  test('a refusal names what was compared', async () => {
    const { port } = await stage()
    const headers = { host: 'api.internal:9000', origin: 'https://app.example' }
    const expected =
      'the origin https://app.example is not allowed: the server\'s own host is "api.internal:9000" (Host), and `origins` doesn\'t list it. ' +
      'Let a proxy in front pass `Host` on, or set `trustForwardedHost`, or add the origin to `origins`'
    expect((await send(port, 'POST', '/jobs', headers)).detail).toBe(expected)
    expect(await handshake(port, headers)).toEqual({ status: 403, detail: expected })
  })

  test('with fetch it is the Host header, because Next and others put another host in the URL', async () => {
    const jobs = createJobServer({ start: () => 1 })
    onTestFinished(() => jobs.close({ graceMs: 100 }))
    const post = (headers: Headers) => jobs.fetch(new Request('http://localhost:3000/jobs', { method: 'POST', headers }))
    expect((await post({ host: 'app.example', origin: 'https://app.example' })).status).toBe(202)
    expect((await post({ host: 'app.example', origin: 'http://localhost:3000' })).status).toBe(403)
    expect((await post({ origin: 'http://localhost:3000' })).status).toBe(202)
  })
})

describe("the browser's Sec-Fetch-Site header", () => {
  const host = 'api.internal:9000'
  test.each([
    ['same-origin, behind a proxy that rewrites Host: allowed', { host, origin: 'https://app.example', 'sec-fetch-site': 'same-origin' }, YES],
    ['none, a typed URL: allowed', { host, 'sec-fetch-site': 'none' }, YES],
    ['cross-site: refused', { host, origin: 'https://app.example', 'sec-fetch-site': 'cross-site' }, NO],
    ['cross-site without an Origin: refused', { host, 'sec-fetch-site': 'cross-site' }, NO],
    ['same-site without an Origin: refused', { host, 'sec-fetch-site': 'same-site' }, NO],
    ['cross-site with the same host, over http: refused', { host: 'app.example', origin: 'http://app.example', 'sec-fetch-site': 'cross-site' }, NO],
    ['cross-site from an allowed origin: allowed', { host, origin: 'https://friend.example', 'sec-fetch-site': 'cross-site' }, YES]
  ])('%s', async (_, headers, expected) => {
    const { all } = await stage({ origins: ['https://friend.example'] })
    expect(await all(headers)).toEqual(expected)
  })
})

describe('a proxy that forwards the Host header it got', () => {
  const origin = 'https://app.example'
  test.each([
    [{ 'x-forwarded-host': 'app.example' }, YES],
    [{ 'x-forwarded-host': 'App.Example:443, inner.internal' }, YES],
    [{ forwarded: 'for=192.0.2.1;host=app.example;proto=https' }, YES],
    [{ forwarded: 'For="[2001:db8::1]:4711"; Host="app.example:443", for=10.0.0.1;host=inner' }, YES],
    [{ forwarded: 'host=inner', 'x-forwarded-host': 'app.example' }, NO],
    [{ 'x-forwarded-host': 'inner' }, NO],
    [{ forwarded: 'for=192.0.2.1' }, NO],
    [{}, NO]
  ])('%o', async (forwarded, expected) => {
    const headers: Headers = { host: 'inner:9000', origin, ...forwarded }
    expect(await (await stage({ trustForwardedHost: true })).all(headers)).toEqual(expected)
    expect(await (await stage()).all(headers)).toEqual(NO)
  })

  test('a refusal names the forwarded host if that was compared', async () => {
    const { port } = await stage({ trustForwardedHost: true })
    const { detail } = await send(port, 'POST', '/jobs', { host: 'inner', origin, 'x-forwarded-host': 'outer.example' })
    expect(detail).toContain('own host is "outer.example" (X-Forwarded-Host)')
  })
})

describe('hosts, against DNS rebinding', () => {
  const hosts = ['app.example', '.wide.example', '*.below.example']
  test.each([
    ['app.example', 200],
    ['APP.example.:8443', 200],
    ['wide.example', 200],
    ['a.b.wide.example', 200],
    ['x.below.example', 200],
    ['localhost:8080', 200],
    ['jobs.localhost', 200],
    ['127.0.0.1:80', 200],
    ['[::1]', 200],
    ['below.example', 403],
    ['x.app.example', 403],
    ['evilwide.example', 403],
    ['evil.example', 403],
    ['app.example.evil.example', 403],
    ['127.0.0.1.evil.example', 403],
    ['localhost.evil.example', 403],
    ['', 403]
  ])('%j: %i', async (host, status) => {
    const { port } = await stage({ hosts })
    const headers = { host, origin: `http://${host}` }
    for (const [method, path] of [
      ['GET', '/jobs/42'],
      ['HEAD', '/jobs/42'],
      ['GET', '/jobs/42/events'],
      ['OPTIONS', '/jobs/42/events']
    ] as const)
      expect([method, (await send(port, method, path, { host })).status]).toEqual([method, method === 'OPTIONS' && status === 200 ? 204 : status])
    expect((await send(port, 'POST', '/jobs', { host })).status).toBe(status === 200 ? 202 : 403)
    expect((await handshake(port, headers)).status).toBe(status === 200 ? 101 : 403)
  })

  test('the error names the host and those that are allowed', async () => {
    const { port } = await stage({ hosts })
    const expected = 'Host: expected one of app.example, .wide.example, *.below.example, localhost, an IP address (hosts), got "evil.example:1"'
    expect((await send(port, 'GET', '/jobs/42', { host: 'evil.example:1' })).detail).toBe(expected)
    const { detail } = await handshake(port, { host: 'evil.example:1' })
    expect(detail).toBe(expected)
  })

  test('the forwarded host counts, if it is trusted', async () => {
    const { port } = await stage({ hosts, trustForwardedHost: true })
    expect((await send(port, 'GET', '/jobs/42', { host: 'inner', 'x-forwarded-host': 'app.example' })).status).toBe(200)
    expect((await send(port, 'GET', '/jobs/42', { host: 'app.example', 'x-forwarded-host': 'evil.example' })).status).toBe(403)
  })

  test.each([[[]], [['']], [['https://app.example']], [['app.example:80']], [['a b']], ['app.example'], [['*']], [[1]], [true]])(
    '%j is no list of hosts',
    (value) => {
      // as: JavaScript callers may pass anything
      expect(() => createJobServer({ hosts: value as string[] })).toThrow(/^hosts: expected a list of names such as "app.example"/)
    }
  )
})

describe('preflights', () => {
  const ask = async (options: JobServerOptions, headers: Headers) => {
    const { port } = await stage(options)
    return (await send(port, 'OPTIONS', '/jobs/42/events', { origin: 'https://app.example', 'access-control-request-method': 'GET', ...headers })).headers
  }

  test('an allowed origin may send the headers that it asks for, such as those of tracing', async () => {
    const names = 'sentry-trace, baggage,Traceparent, tracestate , x-tenant'
    const answer = await ask({ origins: ['https://app.example'] }, { 'access-control-request-headers': names })
    const allowed = answer['access-control-allow-headers']?.split(', ')
    expect(allowed).toEqual(expect.arrayContaining(['sentry-trace', 'baggage', 'traceparent', 'tracestate', 'x-tenant', 'authorization', 'idempotency-key']))
    expect(answer).toMatchObject({ 'access-control-allow-origin': 'https://app.example', 'access-control-max-age': '7200' })
  })

  test('invalid header names are left out, and their number is limited', async () => {
    const many = Array.from({ length: 500 }, (_, n) => `x-${n}`).join()
    const answer = await ask({ origins: '*' }, { 'access-control-request-headers': `a b, c:d, "e", é, ok, ${many}` })
    const allowed = answer['access-control-allow-headers']?.split(', ') ?? []
    expect(allowed).toContain('ok')
    expect(allowed.filter((name) => !/^[\w-]+$/.test(name))).toEqual([])
    expect(allowed.length).toBeLessThan(110)
  })

  test('another origin may do nothing', async () => {
    expect(await ask({ origins: ['https://other.example'] }, {})).not.toHaveProperty('access-control-allow-origin')
  })
})

describe('on every answer', () => {
  const PATHS = ['/42', '/42/events', '/none/events', '/events', '/a/b/c', '']
  test('nosniff, and a policy by which a page of another origin needs CORS to read it', async () => {
    const { get, post, base, port } = await stage()
    const answers = [
      ...(await Promise.all(PATHS.map((path) => get(path)))),
      await post('', '{}'),
      await post('', '{'),
      await fetch(`${base}/42`, { method: 'HEAD' })
    ]
    answers.push(
      await get('/42/events', { accept: 'application/x-ndjson' }),
      await get('/42/events', { accept: 'text/event-stream' }),
      await fetch(base, { method: 'OPTIONS' })
    )
    for (const { headers } of answers) {
      expect(headers.get('x-content-type-options')).toBe('nosniff')
      expect(headers.get('cross-origin-resource-policy')).toBe('same-origin')
    }
    for (const raw of [
      await openRaw(port, `GET /jobs/42/events HTTP/1.1\r\nHost: x\r\nOrigin: http://y\r\n${UPGRADE}`),
      await openRaw(port, 'GET /jobs/42 HTTP/1.1\r\nHost: a b\r\n\r\n')
    ])
      await vi.waitFor(() => expect(raw.text()).toMatch(/nosniff[\s\S]*same-origin/))
    await answers.at(-2)?.body?.cancel()
  })

  test.each<[JobServerOptions['origins'] & {}, string | undefined, string]>([
    [['https://app.example'], 'https://app.example', 'cross-origin'],
    [['https://app.example'], 'https://evil.example', 'same-origin'],
    [['https://app.example'], undefined, 'same-origin'],
    ['*', undefined, 'cross-origin'],
    ['*', 'https://any.example', 'cross-origin']
  ])('for origins %j and Origin %s: %s', async (origins, origin, policy) => {
    const { get } = await stage({ origins })
    for (const path of ['/42', '/none'])
      expect((await get(path, origin === undefined ? {} : { origin })).headers.get('cross-origin-resource-policy')).toBe(policy)
  })
})

describe('HEAD', () => {
  test.each(['application/json', 'text/event-stream', 'application/x-ndjson'])(
    'is a GET without its body, of a reading as %s too, and keeps nothing open',
    async (accept) => {
      const { base, get, jobs } = await stage()
      await jobs.publish('over', 'succeeded', 1)
      for (const path of ['/42', '/42/events', '/42/events?wait=55', '/over/events', '/none', '/none/events']) {
        const head = await fetch(base + path, { method: 'HEAD', headers: { accept } })
        const full = await get(path.replace('?wait=55', ''), { accept })
        expect([path, head.status, head.headers.get('content-type')]).toEqual([path, full.status, full.headers.get('content-type')])
        expect(await head.text()).toBe('')
        const length = full.headers.get('content-length')
        if (length !== null) expect([path, head.headers.get('content-length')]).toEqual([path, length])
        await full.body?.cancel()
      }
      await vi.waitFor(() => expect(Object.values(jobs.metrics().connections).filter((count) => count > 0)).toEqual([]))
    }
  )

  test('of a resource that has only POST: 405', async () => {
    const { base, post } = await stage()
    const head = await fetch(base, { method: 'HEAD' })
    expect([head.status, head.headers.get('allow')]).toEqual([405, 'POST'])
    expect((await post('/42')).headers.get('allow')).toBe('GET, HEAD')
  })

  test('with fetch', async () => {
    const jobs = createJobServer()
    onTestFinished(() => jobs.close({ graceMs: 100 }))
    await jobs.publish('42', 'queued')
    for (const accept of ['application/json', 'text/event-stream']) {
      const head = await jobs.fetch(new Request('http://x/jobs/42/events', { method: 'HEAD', headers: { accept } }))
      expect([head.status, await head.text()]).toEqual([200, ''])
    }
    expect(Object.values(jobs.metrics().connections).filter((count) => count > 0)).toEqual([])
  })
})

test.each([
  ['text/event-stream', 'text/event-stream'],
  ['Text/Event-Stream ; q=0.5', 'text/event-stream'],
  ['application/json, text/event-stream', 'text/event-stream'],
  ['*/*, text/event-stream;q=1.0', 'text/event-stream'],
  ['text/event-stream;q=0', 'application/json'],
  ['text/event-stream; Q=0.000, */*', 'application/json'],
  ['application/json, text/event-stream;q=0.5', 'application/json'],
  ['text/event-stream;q=0.5, application/json;q=0.4', 'text/event-stream'],
  ['application/x-ndjson, application/json;q=0.5', 'application/x-ndjson'],
  ['application/x-ndjson;q=0, text/event-stream;q=0', 'application/json'],
  ['text/event-stream;q=0, application/x-ndjson', 'application/x-ndjson'],
  ['application/x-ndjson;q=0.2, text/event-stream;q=0.1, application/json;q=0', 'application/x-ndjson'],
  ['text/event-stream;charset=utf-8;q=nonsense', 'text/event-stream'],
  ['text/event-stream-like', 'application/json'],
  ['*/*', 'application/json'],
  ['', 'application/json']
])('Accept: %s is answered with %s', async (accept, type) => {
  const { get } = await stage()
  const { headers, body } = await get('/42/events', { accept })
  await body?.cancel()
  expect(headers.get('content-type')?.split(';')[0]).toBe(type)
})

describe('the reason of a cancel', () => {
  test('is in its events', async () => {
    const { post, read, base } = await serve({
      start: (job) => new Promise((_, reject) => job.signal.addEventListener('abort', () => reject(job.signal.reason)))
    })
    const { id } = await (await post('', '{}')).json()
    expect((await post(`/${id}/cancel`, '{"reason":"too slow","by":"me"}')).status).toBe(202)
    await vi.waitFor(async () => expect((await read(`/${id}/events`)).events.at(-1)).toMatchObject({ type: 'cancelled', data: { reason: 'too slow' } }))
    expect((await read(`/${id}/events`)).events.at(-2)).toMatchObject({ type: 'cancelling', data: { reason: 'too slow' } })
    expect(base).toBeTruthy()
  })

  test.each(['', ' ', '{}', 'null', '{"reason":null}'])('may be missing: %j', async (body) => {
    const { jobs, post, read } = await serve()
    await jobs.publish('42', 'started')
    expect((await post('/42/cancel', body)).status).toBe(202)
    expect((await read('/42/events')).events.at(-1)).toMatchObject({ type: 'cancelling', data: {} })
  })

  test.each([
    ['{', 'body: expected an empty body, or JSON such as {"reason":"…"}'],
    ['"no"', 'body: expected an object such as {"reason":"…"}, got "no"'],
    ['[]', 'body: expected an object such as {"reason":"…"}, got []'],
    ['{"reason":7}', 'reason: expected a string, got 7'],
    [JSON.stringify({ reason: 'x'.repeat(1001) }), 'reason: expected at most 1000 characters, got 1001']
  ])('must be valid: %j', async (body, detail) => {
    const { jobs, post, read } = await serve()
    await jobs.publish('42', 'started')
    expect(await (await post('/42/cancel', body)).json()).toMatchObject({ status: 400, code: 'bad-request', detail })
    expect((await read('/42/events')).events).toHaveLength(1)
  })
})

test("a browser's socket needs no configuration", async () => {
  const { port } = await stage({ hosts: ['app.example'] })
  const ws = new WebSocket(`ws://127.0.0.1:${port}/jobs/42/events`, ['jobtail.v1'], { origin: `http://127.0.0.1:${port}` })
  onTestFinished(() => ws.terminate())
  await once(ws, 'open')
})
