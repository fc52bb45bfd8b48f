import { afterEach, describe, expect, it, vi } from 'vitest'
import { longPoll, look, shortPoll } from '../../src/transports/poll.ts'
import { sse } from '../../src/transports/sse.ts'
import { webSocket } from '../../src/transports/websocket.ts'
import type { OpenRequest } from '../../src/types.ts'
import { type Asked, openReader, type Reader } from './reader.ts'
import { type Asking, bodyOf, reading, scriptFetch } from './scripted-fetch.ts'

const base = new URL('https://api.example/jobs?v=2')
const token = 'a.token'

afterEach(() => void vi.unstubAllGlobals())

/** What a request looks like: of `make`'s transport, the second one (a long poll's first is not held). */
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
  ])('has the cursor of a single job in the header, %s', async (_, origin) => {
    const authorization = `Bearer ${token}`
    expect(shape(await sent(sse, origin, single))).toEqual({
      search: '?v=2&more=1',
      headers: { ...accept, 'last-event-id': 'e-2' },
      cache: 'no-store',
      credentials: 'same-origin'
    })
    expect(shape(await sent(longPoll, origin, single, { token }))).toMatchObject({
      search: '?v=2&wait=2',
      headers: { ...json, 'last-event-id': 'e-3', authorization },
      cache: 'no-store'
    })
  })

  it('has those of several in the URL, and the tail always', async () => {
    expect(shape(await sent(sse, undefined, [...single, { job: '43' }]))).toMatchObject({
      search: '?v=2&job=42&after=e-2&job=43&after=&more=1',
      headers: accept
    })
    expect(shape(await sent(sse, undefined, [{ job: '42', after: 'tail' }]))).toMatchObject({ search: '?v=2&after=tail&more=1', headers: accept })
  })
})

describe('a request to another origin', () => {
  const origin = 'https://app.example'

  it('needs no preflight where there is neither a token nor a header', async () => {
    expect(shape(await sent(sse, origin, single, { credentials: 'include' }))).toEqual({
      search: '?v=2&after=e-2&more=1',
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
      search: '?v=2&more=1&via=sse',
      headers: { ...accept, ...cursor, ...headers },
      cache: 'default'
    })
    expect(shape(await sent(shortPoll, origin, single, more))).toMatchObject({ search: '?v=2&via=short-poll', headers: { ...json, ...cursor, ...headers } })
    expect(shape(await sent(look, origin, single, more))).toMatchObject({ search: '?v=2&via=look' })
    expect(shape(await sent(longPoll, origin, single, more))).toMatchObject({
      search: '?v=2&via=long-poll',
      headers: { ...json, 'last-event-id': 'e-3', prefer: 'wait=2', ...headers },
      cache: 'default'
    })
  })

  it('has several cursors in the URL all the same', async () => {
    const { search, headers } = shape(await sent(sse, origin, [...single, { job: '43' }], { token }))
    expect(search).toBe('?v=2&job=42&after=e-2&job=43&after=&more=1')
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
    openReader(look(), base, single, { fetch: scriptFetch(new Response(body, { status, headers })).fetch }).toEnd()
  const problem = { 'content-type': 'application/problem+json; charset=utf-8' }

  it.each([
    ['detail', { title: 'Forbidden', detail: 'not yours', code: 'forbidden' }, 'not yours'],
    ['title', { title: 'Forbidden', code: 'forbidden' }, 'Forbidden']
  ])('speaks for the job as a problem, with its %s', async (_, body, message) => {
    const { had } = await read(JSON.stringify(body), 403, problem)
    expect(had).toEqual([{ control: 'error', status: 403, code: 'forbidden', message }])
  })

  it.each([429, 503])('of a busy server (%i) says so also where it breaks off', async (status) => {
    const broken = bodyOf(['{"status":'], new TypeError('terminated'))
    const { fetch } = scriptFetch(new Response(broken, { status, headers: { ...problem, 'retry-after': '3' } }))
    const reader = openReader(shortPoll(), new URL('http://localhost/jobs'), undefined, { fetch })
    const { value } = await reader.frames.next()
    expect(value).toEqual([{ control: 'error', status, code: 'busy', message: 'busy', retryAfterMs: 3000 }])
    reader.abort()
  })

  it('says nothing where it breaks off', async () => {
    const broken = new ReadableStream({
      start(controller) {
        controller.enqueue(new TextEncoder().encode('{"status":401,'))
        controller.error(new TypeError('terminated'))
      }
    })
    const { fetch } = scriptFetch(new Response(broken, { status: 401, headers: problem }))
    await expect(openReader(look(), base, single, { fetch }).toEnd()).rejects.toMatchObject({ message: 'terminated' })
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
    ['in words that nobody knows', 'soon', '{"code":"busy","title":"later"}', {}]
  ])('may say when to come back: %s', async (_, value, body, retryAfter) => {
    const { had } = await read(body, 503, { ...problem, 'retry-after': value })
    expect(had).toEqual([{ control: 'error', status: 503, code: 'busy', message: 'later', ...retryAfter }])
  })
})

it('a WebSocket is not supported where there is none', () => {
  expect(webSocket().isSupported()).toBe(true)
  vi.stubGlobal('WebSocket', undefined)
  expect(webSocket().isSupported()).toBe(false)
})
