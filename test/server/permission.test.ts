/** What `authorize` gets, what it may answer, and that an invalid answer permits nothing. */

import { once } from 'node:events'
import http from 'node:http'
import express from 'express'
import { describe, expect, onTestFinished, test, vi } from 'vitest'
import { createJobServer } from '../../src/server/index.ts'
import type { Authorize, Permission, Question } from '../../src/server/permission.ts'
import { listen } from './adapters/mount.ts'
import { openSocket, openStream } from './clients.ts'
import { createGate } from './gate.ts'
import { serve } from './serve.ts'

const SOON = Math.floor(Date.now() / 1000) + 3600

describe('an invalid answer permits nothing, and is reported', () => {
  const mistakes: [answer: unknown, got: string | RegExp, expected?: string][] = [
    [{ subject: undefined }, '{ subject: undefined }'],
    [{ subject: 'alice' }, '{ subject: "alice" }'],
    [{ expiresAt: Date.now() + 1e6 }, /\{ expiresAt: \d+ }/],
    [{ ok: true }, '{ ok: true }'],
    [{ allow: 'yes' }, '{ allow: "yes" }'],
    [{ allow: 1 }, '{ allow: 1 }'],
    [{ allow: false }, '{ allow: false }'],
    [{ allow: undefined }, '{ allow: undefined }'],
    [{ allow: Promise.resolve(true) }, '{ allow: a promise, which was not awaited }'],
    [{ allow: true, subject: undefined }, '{ allow: true, subject: undefined }', 'subject to be a non-empty string'],
    [{ allow: true, subject: '' }, '{ allow: true, subject: "" }', 'subject to be a non-empty string'],
    [{ allow: true, subject: 7 }, '{ allow: true, subject: 7 }', 'subject to be a non-empty string'],
    [{ allow: true, subject: null }, '{ allow: true, subject: null }', 'subject to be a non-empty string'],
    [{ allow: true, expiresAt: undefined }, '{ allow: true, expiresAt: undefined }', 'expiresAt to be ms since 1970'],
    [{ allow: true, expiresAt: SOON }, `{ allow: true, expiresAt: ${SOON} }`, 'expiresAt to be ms since 1970 (this looks like seconds: times 1000?)'],
    [{ allow: true, expiresAt: 0 }, '{ allow: true, expiresAt: 0 }', 'expiresAt to be ms since 1970 (this looks like seconds: times 1000?)'],
    [{ allow: true, expiresAt: Number.NaN }, '{ allow: true, expiresAt: NaN }', 'expiresAt to be ms since 1970'],
    [{ allow: true, expiresAt: '2999-01-01' }, '{ allow: true, expiresAt: "2999-01-01" }', 'expiresAt to be ms since 1970'],
    [{ allow: true, expiresAt: new Date(Date.now() + 1e6) }, '{ allow: true, expiresAt: an object }', 'expiresAt to be ms since 1970'],
    [{ allow: true, expires: 1 }, '{ allow: true, expires: 1 }'],
    [{ allow: true, status: 403 }, '{ allow: true, status: 403 }'],
    [{ status: 200 }, '{ status: 200 }'],
    [{ status: '403' }, '{ status: "403" }'],
    [Object.create({ allow: true }), 'Object {}'],
    [{}, 'Object {}'],
    [[true], 'a list of 1'],
    ['yes', '"yes"'],
    ['', '""'],
    [1, '1'],
    [0, '0'],
    [() => true, 'a function, which was not called'],
    [new Response(null, { status: 200 }), 'Response {}']
  ]
  const awaited = mistakes
    .filter(([answer]) => typeof answer !== 'function')
    .map(([answer, ...rest]): (typeof mistakes)[number] => [Promise.resolve(answer), ...rest])

  test.each([...mistakes, ...awaited])(
    '%o',
    async (answer, got, expected = 'true, false, { status: 401 or 403 }, or { allow: true, subject?, expiresAt? }') => {
      const onError = vi.fn()
      const start = vi.fn()
      // as: JavaScript callers may return anything
      const { jobs, get, post, base } = await serve({ authorize: () => answer as Permission, onError, start })
      await jobs.publish('a', 'queued')
      for (const response of [await get('/a'), await get('/a/events'), await post('', '{}'), await post('/a/cancel')]) {
        expect(response.status).toBe(500)
        expect(await response.json()).not.toHaveProperty('code')
      }
      for (const path of ['/a/events', '/events']) expect(await openSocket(base + path).closed).toBe(4503)
      expect(start).not.toHaveBeenCalled()
      expect((await jobs.health()).status).toBe('ok')
      expect(onError).toHaveBeenCalledTimes(6)
      const [error]: unknown[] = onError.mock.calls[0] ?? []
      expect(error).toBeInstanceOf(TypeError)
      expect(String(error)).toContain(`authorize: expected ${expected}`)
      if (typeof got === 'string') expect(String(error).endsWith(`, got ${got}`)).toBe(true)
      else expect(String(error)).toMatch(got)
    }
  )
})

test.each<[string, Permission | Promise<Permission>, number]>([
  ['true', true, 200],
  ['allow', { allow: true }, 200],
  ['allow, as a promise', Promise.resolve({ allow: true, subject: 'a', expiresAt: Date.now() + 1e6 }), 200],
  ['allow for ever', { allow: true, expiresAt: Number.POSITIVE_INFINITY }, 200],
  ['allow, expired a second ago', { allow: true, expiresAt: Date.now() - 1000 }, 401],
  ['false', false, 403],
  ['undefined', undefined, 403],
  ['null', Promise.resolve(null), 403],
  ['401', { status: 401 }, 401],
  ['403', { status: 403 }, 403]
])('a valid answer: %s', async (_, answer, status) => {
  const onError = vi.fn()
  const { jobs, get } = await serve({ authorize: () => answer, onError })
  await jobs.publish('a', 'queued')
  expect((await get('/a', { authorization: 'Bearer x' })).status).toBe(status)
  expect(onError).not.toHaveBeenCalled()
})

describe('authorize gets', () => {
  test('the Node request with what middleware has set on it, also at each subscribe of a socket, and the address', async () => {
    const asked: [string, unknown, string | undefined][] = []
    const authorize: Authorize = ({ action, jobId, source: { node, address } }) => {
      asked.push([`${action} ${jobId}`, Object(node).user, address])
      return Object(node).user === 'alice'
    }
    const jobs = createJobServer({ authorize, onError: () => {}, start: () => 1 })
    const app = express()
    app.use((req, _, next) => next(void Object.assign(req, { user: req.headers['x-user'] })))
    app.use(jobs.handle)
    const server = http.createServer(app)
    server.on('upgrade', (req, socket, head) => jobs.upgrade(Object.assign(req, { user: req.headers['x-user'] }), socket, head))
    const base = `${await listen(server)}/jobs`
    onTestFinished(() => jobs.close({ graceMs: 100 }))
    await jobs.publish('a', 'queued')
    const headers = { 'x-user': 'alice' }
    expect((await fetch(`${base}/a`, { headers })).status).toBe(200)
    expect((await fetch(`${base}/a`, { headers: { 'x-user': 'bob' } })).status).toBe(401)
    const stream = await openStream(`${base}/a/events`, headers)
    await vi.waitFor(() => expect(stream.events()).toHaveLength(1))
    const socket = openSocket(`${base}/events`, { headers })
    socket.ws.on('open', () => socket.send({ op: 'subscribe', job: 'a' }))
    await vi.waitFor(() => expect(socket.events()).toHaveLength(1))
    const alice = (what: string) => [what, 'alice', '127.0.0.1']
    expect(asked).toEqual([alice('read a'), ['read a', 'bob', '127.0.0.1'], alice('read a'), alice('connect undefined'), alice('read a')])
  })

  test('what fetch was given beside the request', async () => {
    const authorize = vi.fn(({ source }: Question) => Object(source.context).user === 'alice')
    const jobs = createJobServer({ authorize, start: () => 1 })
    onTestFinished(() => jobs.close({ graceMs: 100 }))
    await jobs.publish('a', 'queued')
    const ask = (context?: unknown) => jobs.fetch(new Request('http://x/jobs/a', { headers: { authorization: 'x' } }), context)
    const context = { user: 'alice' }
    expect((await ask(context)).status).toBe(200)
    expect(authorize.mock.calls[0]?.[0].source.context).toBe(context)
    expect((await ask()).status).toBe(403)
    expect(authorize.mock.calls[1]?.[0].source).toEqual({})
  })
})

describe('connect, the action of a socket that names no job,', () => {
  test('is asked before the socket takes a place, and refused on the socket', async () => {
    const authorize = vi.fn<Authorize>(({ request, action }) => action !== 'connect' || request.headers.has('authorization'))
    const { jobs, base, get } = await serve({ maxReaders: 1, authorize })
    await jobs.publish('a', 'queued')
    const anonymous = Array.from({ length: 5 }, () => openSocket(`${base}/events`))
    for (const { closed, controls } of anonymous) {
      expect(await closed).toBe(4401)
      expect(controls()).toMatchObject([{ control: 'hello' }, { control: 'error', status: 401, code: 'unauthorized' }])
    }
    expect(jobs.metrics()).toMatchObject({ connections: { websocket: 0 }, opened: { websocket: 0 } })
    expect((await get('/a/events')).status).toBe(200)
    const socket = openSocket(`${base}/events`, { headers: { authorization: 'x' } })
    await vi.waitFor(() => expect(socket.controls('hello')).toHaveLength(1))
    expect(jobs.metrics().connections.websocket).toBe(1)
  })

  test('takes no place while authorize is pending, has as many sockets pending as there are places, and keeps their messages', async () => {
    const pending = Promise.withResolvers<boolean>()
    const { jobs, base, get } = await serve({ maxReaders: 1, authorize: ({ action }) => action !== 'connect' || pending.promise })
    await jobs.publish('a', 'queued')
    const socket = openSocket(`${base}/events`)
    await once(socket.ws, 'open')
    socket.send({ op: 'subscribe', job: 'a' })
    await vi.waitFor(async () => expect(await openSocket(`${base}/events`).closed).toBe(4503))
    expect((await get('/a/events')).status).toBe(200)
    pending.resolve(true)
    await vi.waitFor(() => expect(socket.events()).toHaveLength(1))
  })

  test("ends with the server's close, and when the permission expires", async () => {
    let answer: Permission | Promise<Permission> = new Promise<Permission>(() => {})
    const { jobs, base } = await serve({ authorize: () => answer })
    const waiting = openSocket(`${base}/events`)
    await once(waiting.ws, 'open')
    answer = { allow: true, expiresAt: Date.now() + 100 }
    const expiring = openSocket(`${base}/events`)
    expect(await expiring.closed).toBe(1001)
    expect(expiring.controls().at(-1)).toMatchObject({ control: 'bye', reason: 'auth' })
    await jobs.close({ graceMs: 1000 })
    expect(await waiting.closed).toBe(1006)
  })

  test('is not asked if the socket names jobs', async () => {
    const gate = createGate()
    const asked: string[] = []
    const { base } = await serve({ log: gate.log, authorize: ({ action, jobId }) => asked.push(`${action} ${jobId}`) > 0 })
    expect(await openSocket(`${base}/events?job=a`).closed).toBe(4404)
    expect(asked).toEqual(['read a'])
  })
})

test('a server that starts jobs without authorize warns once, and says how to allow it on purpose', async () => {
  vi.resetModules()
  const warn = vi.spyOn(console, 'warn').mockImplementation(() => {})
  onTestFinished(() => warn.mockRestore())
  const { createJobServer: create } = await import('../../src/server/index.ts')
  // Each server is closed before the next: several at once with separate memory logs would print another warning.
  for (const options of [{}, { start: () => 1, authorize: () => true }]) await create(options).close()
  expect(warn).not.toHaveBeenCalled()
  for (let n = 0; n < 2; n += 1) await create({ start: () => 1 }).close()
  expect(warn.mock.calls).toEqual([
    [expect.stringMatching(/^jobtail: this server has no `authorize`: everybody who reaches it may start, follow and cancel jobs\. .*authorize: \(\) =>/)]
  ])
})
