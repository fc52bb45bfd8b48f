import { afterEach, describe, expect, it, onTestFinished, vi } from 'vitest'
import { WebSocket as NodeWebSocket } from 'ws'
import { longPoll, shortPoll } from '../../src/transports/poll.ts'
import { readOnce } from '../../src/transports/read-once.ts'
import { sse } from '../../src/transports/sse.ts'
import { webSocket } from '../../src/transports/websocket.ts'
import type { OpenRequest } from '../../src/types.ts'
import { type Asked, openReader, type Reader } from './reader.ts'
import { type Asking, bodyOf, reading, scriptFetch } from './scripted-fetch.ts'

const base = new URL('https://api.example/jobs?v=2')
const token = 'a.token'

afterEach(() => void vi.unstubAllGlobals())

/** A request of `make`'s transport: the second one, since a long poll's first request is not held. */
async function sent(make: typeof sse, origin: string | undefined, jobs: readonly Asked[], more: Partial<OpenRequest> = {}): Promise<Asking> {
  vi.stubGlobal('location', origin === undefined ? undefined : { origin })
  const script = scriptFetch(reading(2, 3))
  const reader = openReader(make(), base, jobs, { ...more, fetch: script.fetch })
  const end = reader.toEnd().catch(() => {}) // aborted, or not what was asked for
  await vi.waitFor(() => expect(script.asked.length).toBe(make === longPoll ? 2 : 1))
  reader.abort()
  await end
  return script.asked.at(-1) ?? expect.fail('nothing was asked')
}

const shape = ({ url, headers, init }: Asking) => ({
  search: url.search,
  headers: Object.fromEntries(headers),
  cache: init.cache,
  credentials: init.credentials
})
const single = [{ job: '42', after: 'e-2' }]
const accept = { accept: 'text/event-stream' }
const json = { accept: 'application/json' }

describe('a request to the own origin', () => {
  it.each([
    ['in a page', base.origin],
    ['where there is no page', undefined]
  ])('has the cursor of a single job in the header, which some proxies drop, and in the URL, %s', async (_, origin) => {
    const authorization = `Bearer ${token}`
    expect(shape(await sent(sse, origin, single))).toEqual({
      search: '?v=2&after=e-2',
      headers: { ...accept, 'last-event-id': 'e-2' },
      cache: 'no-store',
      credentials: 'same-origin'
    })
    expect(shape(await sent(longPoll, origin, single, { token }))).toMatchObject({
      search: '?v=2&after=e-3&wait=2',
      headers: { ...json, 'last-event-id': 'e-3', authorization },
      cache: 'no-store'
    })
  })

  it('has those of several in the URL, and the tail always', async () => {
    expect(shape(await sent(sse, undefined, [...single, { job: '43' }]))).toMatchObject({
      search: '?v=2&job=42&after=e-2&job=43&after=',
      headers: accept
    })
    expect(shape(await sent(sse, undefined, [{ job: '42', after: 'tail' }]))).toMatchObject({ search: '?v=2&after=tail', headers: accept })
  })
})

describe('a request to another origin', () => {
  const origin = 'https://app.example'

  it('needs no preflight where there is neither a token nor a header', async () => {
    expect(shape(await sent(sse, origin, single, { credentials: 'include' }))).toEqual({
      search: '?v=2&after=e-2',
      headers: accept,
      cache: 'no-store',
      credentials: 'include'
    })
    expect(shape(await sent(longPoll, origin, single))).toMatchObject({ search: '?v=2&after=e-3&wait=2', headers: json, cache: 'no-store' })
  })

  it.each([
    ['a token', { token }, { authorization: `Bearer ${token}` }],
    ['a header', { headers: new Headers({ 'x-tenant': 'a' }) }, { 'x-tenant': 'a' }]
  ])('needs one preflight, not one each, with %s', async (_, more, headers) => {
    const cursor = { 'last-event-id': 'e-2' }
    expect(shape(await sent(sse, origin, single, more))).toMatchObject({
      search: '?v=2&via=sse',
      headers: { ...accept, ...cursor, ...headers },
      cache: 'default'
    })
    expect(shape(await sent(shortPoll, origin, single, more))).toMatchObject({ search: '?v=2&via=short-poll', headers: { ...json, ...cursor, ...headers } })
    expect(shape(await sent(readOnce, origin, single, more))).toMatchObject({ search: '?v=2&via=read-once' })
    expect(shape(await sent(longPoll, origin, single, more))).toMatchObject({
      search: '?v=2&via=long-poll',
      headers: { ...json, 'last-event-id': 'e-3', prefer: 'wait=2', ...headers },
      cache: 'default'
    })
  })

  it('has several cursors in the URL all the same', async () => {
    const { search, headers } = shape(await sent(sse, origin, [...single, { job: '43' }], { token }))
    expect(search).toBe('?v=2&job=42&after=e-2&job=43&after=')
    expect(headers).toEqual({ ...accept, authorization: `Bearer ${token}` })
  })
})

it("calls fetch as a function, not as the request's method", async () => {
  const receivers: unknown[] = []
  const fetch = function (this: unknown) {
    receivers.push(this)
    return Promise.reject(new TypeError('Failed to fetch'))
  }
  await expect(openReader(sse(), base, single, { fetch }).toEnd()).rejects.toMatchObject({ reason: 'network' })
  expect(receivers).toEqual([undefined])
})

describe('an error that is answered', () => {
  const read = (body: string, status: number, headers: Record<string, string>): Promise<Reader> =>
    openReader(readOnce(), base, single, { fetch: scriptFetch(new Response(body, { status, headers })).fetch }).toEnd()
  const problem = { 'content-type': 'application/problem+json; charset=utf-8' }

  it.each([
    ['detail', { title: 'Forbidden', detail: 'not yours', code: 'forbidden' }, 'not yours'],
    ['title', { title: 'Forbidden', code: 'forbidden' }, 'Forbidden']
  ])('speaks for the job as a problem, with its %s', async (_, body, message) => {
    const { had } = await read(JSON.stringify(body), 403, problem)
    expect(had).toEqual([{ control: 'error', status: 403, code: 'forbidden', message }])
  })

  it.each([429, 503])('of a busy server (%i) asks for its pause also where it breaks off', async (status) => {
    const broken = bodyOf(['{"status":'], new TypeError('terminated'))
    const { fetch } = scriptFetch(new Response(broken, { status, headers: { ...problem, 'retry-after': '3' } }))
    await expect(openReader(shortPoll(), base, single, { fetch }).toEnd()).rejects.toMatchObject({ reason: 'cut', retryAfterMs: 3000 })
  })

  it('says nothing where it breaks off', async () => {
    const broken = new ReadableStream({
      start(controller) {
        controller.enqueue(new TextEncoder().encode('{"status":401,'))
        controller.error(new TypeError('terminated'))
      }
    })
    const { fetch } = scriptFetch(new Response(broken, { status: 401, headers: problem }))
    await expect(openReader(readOnce(), base, single, { fetch }).toEnd()).rejects.toMatchObject({ reason: 'cut', cause: { message: 'terminated' } })
  })

  it('is one of HTTP, whatever status the body claims', async () => {
    expect((await read('{"status":200,"code":"x","title":""}', 401, problem)).had).toMatchObject([{ status: 401, code: 'x' }])
  })

  it.each([
    ['a problem without a code', '{"status":403,"title":"no"}', 403, 'application/problem+json'],
    ['plain JSON', '{"status":403,"code":"WAF","message":"no"}', 403, 'application/json'],
    ['no JSON at all', 'no', 403, 'application/problem+json'],
    ['a text', '{"status":403,"code":"forbidden","title":"no"}', 403, 'text/plain']
  ])("is the path's own as %s", async (_, body, status, type) => {
    await expect(read(body, status, { 'content-type': type })).rejects.toMatchObject({ reason: 'status', status })
  })

  it.each([
    ['in seconds', '120', '{"code":"busy","title":"later"}', { retryAfterMs: 120_000 }],
    ['in its body, which wins', '120', '{"code":"busy","title":"later","retryAfterMs":1500}', { retryAfterMs: 1500 }],
    ['in words that nobody knows', 'soon', '{"code":"busy","title":"later"}', {}],
    ['before now', '-5', '{"code":"busy","title":"later"}', {}],
    ['by a date', new Date(Date.UTC(2040, 0)).toUTCString(), '{"code":"busy","title":"later"}', { retryAfterMs: 2 ** 31 - 1 }],
    ['by a date that is over', 'Wed, 21 Oct 2015 07:28:00 GMT', '{"code":"busy","title":"later"}', {}],
    ['in a month, which no timer can wait for', '2592000', '{"code":"busy","title":"later"}', { retryAfterMs: 2 ** 31 - 1 }],
    ['the same in its body', '1', '{"code":"busy","title":"later","retryAfterMs":2592000000}', { retryAfterMs: 2 ** 31 - 1 }]
  ])('may say when to come back: %s', async (_, value, body, retryAfter) => {
    const { had } = await read(body, 503, { ...problem, 'retry-after': value })
    expect(had).toEqual([{ control: 'error', status: 503, code: 'busy', message: 'later', ...retryAfter }])
  })
})

it('a WebSocket is not supported where there is none', () => {
  expect(webSocket().isSupported({ fetch, WebSocket: undefined })).toBe(false)
  // The client's options count, not the globals.
  vi.stubGlobal('WebSocket', undefined)
  expect(webSocket().isSupported({ fetch, WebSocket: NodeWebSocket as unknown as typeof WebSocket })).toBe(true) // as: the same interface, declared apart
})

describe('what somebody in between answers', () => {
  const read = (response: Response): Promise<Reader> => openReader(readOnce(), base, single, { fetch: scriptFetch(response).fetch }).toEnd()
  const page = (status: number, headers: Record<string, string> = {}): Response =>
    new Response('<p>', { status, headers: { 'content-type': 'text/html', ...headers } })

  it.each([401, 413, 429, 500, 503])('a %d may say when to come back, whoever sent it', async (status) => {
    await expect(read(page(status, { 'retry-after': '60' }))).rejects.toMatchObject({ reason: 'status', status, retryAfterMs: 60_000 })
  })

  it('a date is as good as seconds', async () => {
    vi.useFakeTimers({ toFake: ['Date'], now: Date.UTC(2026, 9, 21, 7, 0) })
    onTestFinished(() => void vi.useRealTimers())
    await expect(read(page(429, { 'retry-after': 'Wed, 21 Oct 2026 07:28:00 GMT' }))).rejects.toMatchObject({ retryAfterMs: 28 * 60_000 })
  })

  it("a date is compared with the date of the answer: the clocks of people's machines are wrong by hours", async () => {
    const headers = { date: 'Wed, 21 Oct 2026 06:00:00 GMT', 'retry-after': 'Wed, 21 Oct 2026 06:01:00 GMT' }
    await expect(read(page(503, headers))).rejects.toMatchObject({ retryAfterMs: 60_000 })
  })

  it('seconds that two intermediaries have sent are one number', async () => {
    await expect(read(page(503, { 'retry-after': '60, 60' }))).rejects.toMatchObject({ retryAfterMs: 60_000 })
  })

  it.each([{}, { 'retry-after': 'soon' }, { 'retry-after': '-1' }, { 'retry-after': 'Infinity' }])('none of %j asks for a pause', async (headers) => {
    await expect(read(page(503, headers))).rejects.toSatisfy(({ status, retryAfterMs }) => status === 503 && retryAfterMs === undefined)
  })

  it('a page that is no error asks for none', async () => {
    await expect(read(page(200, { 'retry-after': '60' }))).rejects.toSatisfy(
      ({ reason, retryAfterMs }) => reason === 'content-type' && retryAfterMs === undefined
    )
  })

  it.each([readOnce, longPoll, shortPoll])('a 204 where no event stream was asked for says nothing (%o)', async (make) => {
    const { fetch } = scriptFetch(new Response(null, { status: 204 }))
    await expect(openReader(make(), base, single, { fetch }).toEnd()).rejects.toMatchObject({ reason: 'content-type', status: 204 })
  })
})

describe('an answer from somewhere else', () => {
  const failed = (): TypeError => new TypeError('Failed to fetch')
  const redirect = (): Response => Object.defineProperty(new Response(), 'type', { value: 'opaqueredirect' })

  it.each([readOnce])('is told from a dead network in a page, once for each request (%o)', async (make) => {
    vi.stubGlobal('location', { origin: base.origin })
    const script = scriptFetch(failed(), redirect())
    await expect(openReader(make(), base, single, { fetch: script.fetch }).toEnd()).rejects.toMatchObject({
      reason: 'redirected',
      message: 'https://api.example/jobs/42/events was redirected to another origin'
    })
    expect(script.asked.map(({ init }) => init.redirect)).toEqual([undefined, 'manual'])
  })

  it('is a dead network where the second try fails as well, and the answer where it does not', async () => {
    vi.stubGlobal('location', { origin: base.origin })
    const dead = scriptFetch(failed(), failed())
    await expect(openReader(readOnce(), base, single, { fetch: dead.fetch }).toEnd()).rejects.toMatchObject({ reason: 'network' })
    expect(dead.asked).toHaveLength(2)
    const back = scriptFetch(failed(), reading(2, 3))
    expect((await openReader(readOnce(), base, single, { fetch: back.fetch }).toEnd()).events).toHaveLength(1)
  })

  it.each([
    ['outside of a page, where redirects are followed', undefined, true, readOnce],
    ['without a network', { origin: base.origin }, false, readOnce],
    ['by what goes on by itself', { origin: base.origin }, true, sse]
  ])('is not looked for %s', async (_, location, onLine, make) => {
    vi.stubGlobal('location', location)
    vi.stubGlobal('navigator', { onLine })
    const script = scriptFetch(failed(), redirect())
    await expect(openReader(make(), base, single, { fetch: script.fetch }).toEnd()).rejects.toMatchObject({ reason: 'network' })
    expect(script.asked).toHaveLength(1)
  })

  it('is taken where it is what was asked for', async () => {
    const answer = Object.defineProperty(reading(2, 3), 'redirected', { value: true })
    expect((await openReader(readOnce(), base, single, { fetch: scriptFetch(answer).fetch }).toEnd()).events).toHaveLength(1)
  })
})

describe('what is asked so that no cache has seen it', () => {
  it.each([
    ['of the own origin', base.origin, {}, { 'last-event-id': 'e-2' }],
    // A gateway that answers preflights may not allow the header.
    ['of another one, with a token', 'https://app.example', { token }, {}],
    ['of another one, without', 'https://app.example', {}, {}]
  ])('is new each time, the cursor wherever it can be: %s', async (_, origin, more, headers) => {
    const asked = [await sent(sse, origin, single, { ...more, isFresh: true }), await sent(sse, origin, single, { ...more, isFresh: true })]
    for (const { url, init, headers: given } of asked) {
      expect(url.searchParams.get('after')).toBe('e-2')
      expect(Object.fromEntries(given)).toMatchObject(headers)
      expect(given.has('last-event-id')).toBe('last-event-id' in headers)
      expect(init.cache).toBe('no-store')
    }
    const [first, second] = asked.map(({ url }) => url.searchParams.get('fresh'))
    expect(first).toMatch(/^0\.\d+$/)
    expect(first).not.toBe(second)
  })
})

it('has text as its URL, as wrappers of `fetch` expect that are written by hand', async () => {
  const script = scriptFetch(reading(2, 3))
  const input = vi.fn<typeof fetch>()
  const reader = openReader(shortPoll(), base, single, { fetch: input.mockImplementation(script.fetch) })
  await reader.until(({ had }) => had.length > 0)
  reader.abort()
  expect(input.mock.calls[0]?.[0]).toMatch(/^https:\/\/api\.example\/jobs\/42\/events\?/)
})

it('has no header that somebody has added to all objects', async () => {
  Object.assign(Object.prototype, { extend: 'line\nbreak' })
  try {
    expect((await sent(sse, undefined, single)).headers.has('extend')).toBe(false)
  } finally {
    Reflect.deleteProperty(Object.prototype, 'extend')
  }
})

it('says how much may be under way', async () => {
  const more = { windowBytes: 65_536 }
  expect(shape(await sent(sse, undefined, single, more)).search).toBe('?v=2&window=65536&after=e-2')
  expect(shape(await sent(shortPoll, 'https://app.example', single, { ...more, token })).search).toBe('?v=2&window=65536&via=short-poll')
})

describe('a job id with a slash', () => {
  it.each(['a/b', 'a\\b'])('is read by the list, since paths are decoded on the way: %s', async (job) => {
    const { url, headers } = await sent(sse, undefined, [{ job, after: 'e-2' }])
    expect([url.pathname, url.searchParams.get('job'), url.searchParams.get('after')]).toEqual(['/jobs/events', job, 'e-2'])
    expect(headers.get('last-event-id')).toBe('e-2')
  })

  it('has its cursor in the URL also where a constant URL would save a preflight: a list is not always heeded by its header', async () => {
    const { url, headers } = await sent(sse, 'https://app.example', [{ job: 'a/b', after: 'e-2' }], { token })
    expect(url.search).toBe('?v=2&job=a%2Fb&after=e-2')
    expect(headers.has('last-event-id')).toBe(false)
  })
})
