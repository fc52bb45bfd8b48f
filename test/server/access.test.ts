import { setImmediate as nextTurn } from 'node:timers/promises'
import { expect, onTestFinished, test, vi } from 'vitest'
import { createJobServer } from '../../src/server/index.ts'
import type { Authorize, Permission } from '../../src/server/permission.ts'
import type { JobServerOptions } from '../../src/server/server-options.ts'
import { openSocket, openStream } from './clients.ts'
import { createGate } from './gate.ts'
import { serve } from './serve.ts'

const bearer = (token: string) => ({ authorization: `Bearer ${token}` })

/** Alice may do everything but read "secret". A number as the token permits everything until that time, in ms since 1970. */
const authorize: Authorize = ({ request, jobId }) => {
  const token = request.headers.get('authorization')?.replace('Bearer ', '')
  if (token && Number(token)) return { allow: true, expiresAt: Number(token) }
  if (token === 'expelled') return { status: 403 }
  return token === 'alice' && jobId !== 'secret'
}

test('authorize is called for every request, with its action and job', async () => {
  const asked: unknown[] = []
  const { jobs, get, post } = await serve({
    start: () => 1,
    authorize: ({ request, action, jobId }) => asked.push([request.method, new URL(request.url).pathname, action, jobId]) > 0
  })
  await jobs.publish('a', 'queued')
  await get('/a')
  await get('/a/events')
  await get('/events?job=a&job=b')
  await post('', '{}')
  await post('/a/cancel')
  expect(asked).toEqual([
    ['GET', '/jobs/a', 'read', 'a'],
    ['GET', '/jobs/a/events', 'read', 'a'],
    ['GET', '/jobs/events', 'read', 'a'],
    ['GET', '/jobs/events', 'read', 'b'],
    ['POST', '/jobs', 'start', undefined],
    ['POST', '/jobs/a/cancel', 'cancel', 'a']
  ])
})

test('a refused reader gets 401 without credentials and 403 with them, and no log is read', async () => {
  const gate = createGate()
  const { jobs, get, post } = await serve({ authorize: () => false, log: gate.log, start: () => 1 })
  await jobs.publish('a', 'queued')
  gate.failWith(new Error('not to be read'))
  for (const path of ['/a', '/a/events', '/none/events']) {
    const anonymous = await get(path)
    expect(anonymous.status).toBe(401)
    expect(anonymous.headers.get('www-authenticate')).toBe('Bearer')
    expect(await anonymous.json()).toMatchObject({ code: 'unauthorized' })
    expect(await (await get(path, bearer('x'))).json()).toMatchObject({ code: 'forbidden', status: 403 })
    expect((await get(path, { cookie: 'session=1' })).status).toBe(403)
    expect((await get(path, { accept: 'text/event-stream' })).status).toBe(401)
  }
  expect((await post('', '{}')).status).toBe(401)
  expect((await post('/a/cancel', '', bearer('x'))).status).toBe(403)
})

test('authorize can choose the status', async () => {
  const { get } = await serve({ authorize })
  expect((await get('/a', bearer('expelled'))).status).toBe(403)
})

test('of several jobs, a forbidden one has its own error, and a 401 refuses the whole request', async () => {
  const { jobs, read, get, base } = await serve({ authorize })
  for (const job of ['a', 'secret']) await jobs.publish(job, 'succeeded', 'x')
  const reading = await read('/events?job=a&job=secret', bearer('alice'))
  expect(reading.jobs.find(({ job }) => job === 'secret')).toEqual({ job: 'secret', error: { status: 403, code: 'forbidden', message: 'not allowed' } })
  expect(reading.events).toMatchObject([{ job: 'a' }])
  const stream = await openStream(`${base}/events?job=a&job=secret`, bearer('alice'))
  await stream.ended
  expect(stream.controls().filter(({ control }) => control === 'error')).toMatchObject([{ job: 'secret', status: 403 }])
  expect((await get('/events?job=a&job=secret')).status).toBe(401)
})

test('a socket is closed with 4401 or 4403, and a refused subscribe ends the reading that it replaces', async () => {
  const { jobs, base } = await serve({ authorize })
  for (const job of ['a', 'secret']) await jobs.publish(job, 'queued')
  const anonymous = openSocket(`${base}/a/events`)
  expect(await anonymous.closed).toBe(4401)
  expect(anonymous.controls('error')).toMatchObject([{ job: 'a', code: 'unauthorized' }])
  expect(await openSocket(`${base}/secret/events`, { headers: bearer('alice') }).closed).toBe(4403)
  const alice = openSocket(`${base}/a/events`, { headers: bearer('alice') })
  await vi.waitFor(() => expect(alice.events()).toHaveLength(1))
  alice.send({ op: 'subscribe', job: 'secret' })
  await vi.waitFor(() => expect(alice.controls('error')).toMatchObject([{ job: 'secret', status: 403 }]))
  expect(alice.events()).toHaveLength(1)
})

test.each(['abc.-_~+/xyz==', '12|abcDEF', '{"k":"v"}!', 'caf\xe9'])(
  'the bearer token %j in a subprotocol counts as an Authorization header, and is not selected',
  async (token) => {
    const seen: unknown[] = []
    const { jobs, base } = await serve({
      authorize: ({ request }) => seen.push([request.headers.get('authorization'), request.headers.get('sec-websocket-protocol')]) > 0
    })
    await jobs.publish('a', 'queued')
    const offered = (text: string) => ['jobtail.v1', `bearer.${Buffer.from(text, 'latin1').toString('base64url')}`]
    const socket = openSocket(`${base}/a/events`, { protocols: offered(token) })
    await vi.waitFor(() => expect(socket.events()).toHaveLength(1))
    expect(socket.ws.protocol).toBe('jobtail.v1')
    for (const text of ['x\r\nCookie: admin', 'a b', '\0']) {
      const forged = openSocket(`${base}/a/events`, { protocols: offered(text) })
      await vi.waitFor(() => expect(forged.events()).toHaveLength(1))
    }
    await fetch(`${base}/a/events`, { headers: { authorization: `Bearer ${token}` } })
    expect(seen).toEqual([
      [`Bearer ${token}`, 'jobtail.v1'],
      [null, 'jobtail.v1'],
      [null, 'jobtail.v1'],
      [null, 'jobtail.v1'],
      [`Bearer ${token}`, null]
    ])
  }
)

test('when a permission expires, streams and sockets get bye auth; of several, the earliest counts', async () => {
  const { jobs, base } = await serve({ authorize: ({ jobId }) => ({ allow: true, expiresAt: Date.now() + (jobId === 'a' ? 100 : 3e10) }) })
  for (const job of ['a', 'b']) await jobs.publish(job, 'queued')
  const stream = await openStream(`${base}/events?job=b&job=a`)
  const socket = openSocket(`${base}/events?job=a&job=b`)
  await stream.ended
  expect(stream.controls().at(-1)).toEqual({ control: 'bye', reason: 'auth', retryMs: 0 })
  expect(await socket.closed).toBe(1001)
  expect(socket.controls().at(-1)).toEqual({ control: 'bye', reason: 'auth', retryMs: 0 })
})

test('a permission that arrives after the socket has closed leaves no timer', async () => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'setInterval', 'clearInterval'] })
  onTestFinished(() => void vi.useRealTimers())
  const pending = Promise.withResolvers<Permission>()
  const { jobs, base } = await serve({ authorize: () => pending.promise })
  const socket = openSocket(`${base}/a/events`)
  await vi.waitFor(() => expect(socket.controls('hello')).toHaveLength(1))
  socket.ws.terminate()
  await vi.waitFor(() => expect(jobs.metrics().connections.websocket).toBe(0))
  expect(vi.getTimerCount()).toBe(0)
  pending.resolve({ allow: true, expiresAt: Date.now() + 3_600_000 })
  await nextTurn()
  expect(vi.getTimerCount()).toBe(0)
})

test.each([
  ['an empty object', {}],
  ['a list', []],
  ['a string', 'yes'],
  ['an expiry of NaN', { expiresAt: Number.NaN }],
  ['an expiry as a string', { expiresAt: '2999-01-01' }]
])('%s as the answer of authorize permits nothing, and is reported', async (_, answer) => {
  const onError = vi.fn()
  // as: JavaScript callers may return anything
  const { jobs, get, base } = await serve({ authorize: () => answer as Permission, onError })
  await jobs.publish('a', 'queued')
  expect((await get('/a/events')).status).toBe(500)
  expect((await get('/a/events', { accept: 'text/event-stream' })).status).toBe(500)
  expect(await openSocket(`${base}/a/events`).closed).toBe(4503)
  expect(String(onError.mock.calls[0])).toMatch(/^TypeError: authorize: expected /)
})

test('an expiry in a month sets no timer yet, and one in the past is 401', async () => {
  const { jobs, base, get } = await serve({ authorize })
  await jobs.publish('a', 'queued')
  const stream = await openStream(`${base}/a/events`, bearer(String(Date.now() + 30 * 86_400_000)))
  await jobs.publish('a', 'succeeded')
  await stream.ended
  expect(stream.controls().at(-1)).toMatchObject({ control: 'done' })
  expect((await get('/a/events', bearer(String(Date.now() - 1)))).status).toBe(401)
})

test('an error thrown by authorize is a 500 without its message and without a code for the job; on a socket the job is busy', async () => {
  const onError = vi.fn()
  const secret = new Error('secret: db password')
  const { jobs, get, base } = await serve({
    onError,
    authorize: ({ jobId }) => {
      if (jobId === 'a') throw secret
      return true
    }
  })
  for (const job of ['a', 'b']) await jobs.publish(job, 'queued')
  for (const path of ['/a', '/a/events', '/events?job=b&job=a']) {
    const response = await get(path)
    expect(response.status).toBe(500)
    const text = await response.text()
    expect(text).not.toContain('secret')
    expect(JSON.parse(text)).not.toHaveProperty('code')
  }
  const socket = openSocket(`${base}/events?job=a&job=b`)
  await vi.waitFor(() => expect(socket.events()).toHaveLength(1))
  expect(socket.controls('error')).toEqual([
    { control: 'error', job: 'a', status: 503, code: 'busy', message: expect.not.stringContaining('secret'), retryAfterMs: 5000 }
  ])
  expect(onError.mock.calls).toEqual([[secret], [secret], [secret], [secret]])
})

test.each([
  [
    'throws',
    () => {
      throw new Error('no logger')
    }
  ],
  ['rejects', () => Promise.reject(new Error('no logger'))]
])('an onError that %s breaks nothing, and its error is printed', async (_, onError) => {
  const printed = vi.spyOn(console, 'error').mockImplementation(() => {})
  onTestFinished(() => printed.mockRestore())
  const secret = new Error('secret')
  const { get, base } = await serve({ onError, authorize: () => Promise.reject(secret) })
  expect((await get('/a/events')).status).toBe(500)
  expect(await openSocket(`${base}/a/events`).closed).toBe(4503)
  expect(printed).toHaveBeenCalledWith(expect.stringMatching(/onError/), expect.objectContaining({ message: 'no logger' }), 'while it was given:', secret)
})

test('CORS allows only the own origin by default', async () => {
  const { jobs, get, base } = await serve()
  await jobs.publish('a', 'queued')
  const strange = await get('/a/events', { origin: 'https://app.example' })
  expect(strange.status).toBe(200)
  expect(strange.headers.get('access-control-allow-origin')).toBeNull()
  const preflight = await fetch(`${base}/a/events`, { method: 'OPTIONS', headers: { origin: 'https://app.example', 'access-control-request-method': 'GET' } })
  expect(preflight.headers.get('access-control-allow-origin')).toBeNull()
})

test.each([
  ['a list', ['https://app.example'], false],
  ['a function', (origin: string) => origin.endsWith('.example'), true],
  ['every origin', '*' as const, false]
])('CORS for %s: on answers, problems and preflights', async (_, origins, allowCredentials) => {
  const { jobs, get, post, base } = await serve({ origins, allowCredentials, start: () => 1, authorize: () => true })
  await jobs.publish('a', 'queued')
  const origin = 'https://app.example'
  for (const response of [await get('/a/events', { origin }), await get('/none/events', { origin }), await post('', '{}', { origin })]) {
    expect(response.headers.get('access-control-allow-origin')).toBe(origin)
    expect(response.headers.get('access-control-expose-headers')).toBe('ETag, Retry-After, Location')
    expect(response.headers.get('access-control-allow-credentials')).toBe(allowCredentials ? 'true' : null)
    expect(response.headers.get('vary')).toContain('Origin')
  }
  const preflight = await fetch(`${base}/a/events`, {
    method: 'OPTIONS',
    headers: { origin, 'access-control-request-method': 'GET', 'access-control-request-headers': 'authorization' }
  })
  expect(preflight.status).toBe(204)
  expect(Object.fromEntries(preflight.headers)).toMatchObject({
    'access-control-allow-origin': origin,
    'access-control-allow-methods': 'GET, POST',
    'access-control-allow-headers': 'authorization, last-event-id, if-none-match, prefer, content-type, idempotency-key',
    'access-control-max-age': '7200'
  })
  const socket = openSocket(`${base}/a/events`, { headers: { origin } })
  await vi.waitFor(() => expect(socket.events()).toHaveLength(1))
})

test('an origins function that throws or is async allows no origin, breaks nothing, and is reported', async () => {
  for (const origins of [
    () => {
      throw new Error('no list')
    },
    async () => true
  ]) {
    const onError = vi.fn()
    // as: JavaScript callers may pass anything
    const { jobs, get, post, base } = await serve({ origins: origins as unknown as (origin: string) => boolean, onError, start: () => 1 })
    await jobs.publish('a', 'queued')
    const origin = 'https://app.example'
    const answer = await get('/a/events', { origin })
    expect([answer.status, answer.headers.get('access-control-allow-origin')]).toEqual([200, null])
    expect((await post('', '{}', { origin })).status).toBe(403)
    await expect(openSocket(`${base}/a/events`, { headers: { origin } }).closed).rejects.toThrow(/403/)
    expect(String(onError.mock.calls[0])).toMatch(/no list|origins: expected true or false for https:\/\/app.example, got a promise/)
  }
})

test('an origin that is not in the list is not allowed', async () => {
  const { jobs, get, post, base } = await serve({ origins: ['https://app.example'], start: () => 1 })
  await jobs.publish('a', 'queued')
  for (const origin of ['https://evil.example', 'https://app.example.evil', 'null', 'nonsense']) {
    expect((await get('/a', { origin })).headers.get('access-control-allow-origin')).toBeNull()
    expect((await post('', '{}', { origin })).status).toBe(403)
    expect((await post('/a/cancel', '', { origin })).status).toBe(403)
    await expect(openSocket(`${base}/a/events`, { headers: { origin } }).closed).rejects.toThrow(/403/)
  }
  expect(await (await get('/a')).json()).toMatchObject({ status: 'queued', seq: 1 })
})

test('the own origin needs no configuration, even if a proxy ends TLS', async () => {
  const { jobs, port, post, base } = await serve({ start: () => 1 })
  await jobs.publish('a', 'queued')
  for (const origin of [`http://127.0.0.1:${port}`, `https://127.0.0.1:${port}`]) {
    expect((await post('', '{}', { origin })).status).toBe(202)
    const socket = openSocket(`${base}/a/events`, { headers: { origin } })
    await vi.waitFor(() => expect(socket.events()).toHaveLength(1))
  }
})

test('"*" together with credentials is refused when the server is created', () => {
  expect(() => createJobServer({ origins: '*', allowCredentials: true })).toThrow(/list the origins instead/)
})

test.each([
  [{ heartbeatMs: 0 }, 'heartbeatMs: expected a number from 1 to 2147483647, got 0'],
  [{ heartbeatMs: '15000' }, 'heartbeatMs: expected a number from 1 to 2147483647, got "15000"'],
  // `setInterval` would take these for 1 ms.
  [{ heartbeatMs: Number.POSITIVE_INFINITY }, 'heartbeatMs: expected a number from 1 to 2147483647, got Infinity'],
  [{ shortPollPauseMs: Number.NaN }, 'shortPollPauseMs: expected a number from 1 to 2147483647, got NaN'],
  [{ maxJobsPerConnection: 1.5 }, 'maxJobsPerConnection: expected an integer from 1, got 1.5'],
  [{ maxBodyBytes: -1 }, 'maxBodyBytes: expected a number from 1, got -1'],
  [{ basePath: 'jobs' }, 'basePath: expected a path that begins with "/", as URLs write it, got "jobs"'],
  [{ basePath: '/jöbs' }, 'basePath: expected a path that begins with "/", as URLs write it, got "/jöbs"'],
  // In a string, `includes` would find every substring.
  [
    { origins: 'https://app.example.com' },
    'origins: expected "*", a function, or a list of origins such as "https://app.example", got "https://app.example.com"'
  ],
  [{ origins: ['https://app.example/'] }, 'origins: expected "*", a function, or a list of origins such as "https://app.example", got https://app.example/'],
  [{ authorize: true }, 'authorize: expected a function, got true'],
  [{ log: {} }, 'log: expected an EventLog, such as memoryLog(), got [object Object]'],
  [{ authorise: () => false }, /^createJobServer: unknown option "authorise", expected one of basePath, /]
])('invalid options are refused when the server is created: %o', (options, message) => {
  expect(() => createJobServer(options as JobServerOptions)).toThrow(message) // as: JavaScript callers may pass anything
})

test('unusual and undefined options are accepted', () => {
  const origins = ['http://localhost:5173', 'capacitor://localhost', 'https://[::1]:8080', 'null']
  expect(() => createJobServer({ basePath: '/', origins, maxReaders: Number.POSITIVE_INFINITY })).not.toThrow()
  expect(() => createJobServer({ basePath: '/%C3%BC/', ...({ authorize: undefined } as object) })).not.toThrow() // as: exactOptionalPropertyTypes forbids it
})

test('maxReaders: one reader too many gets 503, however it reads, until another one leaves', async () => {
  const { jobs, base, get } = await serve({ maxReaders: 1 })
  await jobs.publish('a', 'queued')
  const stream = await openStream(`${base}/a/events`)
  const refused = await get('/a/events')
  expect(refused.status).toBe(503)
  expect(refused.headers.get('retry-after')).toBe('5')
  expect(await refused.json()).toMatchObject({ code: 'busy', retryAfterMs: 5000 })
  const socket = openSocket(`${base}/a/events`)
  expect(await socket.closed).toBe(4503)
  expect(socket.controls('error')).toMatchObject([{ status: 503, code: 'busy' }])
  expect(socket.controls('error')[0]).not.toHaveProperty('job')
  expect((await get('/a')).status).toBe(200)
  stream.stop()
  await vi.waitFor(async () => expect((await get('/a/events')).status).toBe(200))
})

test('maxReadersPerAddress: one too many gets 429', async () => {
  const { jobs, base, get } = await serve({ maxReadersPerAddress: 2 })
  await jobs.publish('a', 'queued')
  const socket = openSocket(`${base}/a/events`)
  await vi.waitFor(() => expect(socket.events()).toHaveLength(1))
  await openStream(`${base}/a/events`)
  expect(await (await get('/a/events')).json()).toMatchObject({ status: 429, code: 'busy' })
  socket.ws.close()
  await vi.waitFor(async () => expect((await get('/a/events')).status).toBe(200))
})

test('maxConnectionAgeMs: an old connection gets bye max-age', async () => {
  const { jobs, base } = await serve({ maxConnectionAgeMs: 100 })
  await jobs.publish('a', 'queued')
  const stream = await openStream(`${base}/a/events`)
  const socket = openSocket(`${base}/a/events`)
  await stream.ended
  expect(stream.controls().at(-1)).toEqual({ control: 'bye', reason: 'max-age', retryMs: 1000 })
  expect(await socket.closed).toBe(1001)
  expect(socket.controls().at(-1)).toMatchObject({ control: 'bye', reason: 'max-age' })
})
