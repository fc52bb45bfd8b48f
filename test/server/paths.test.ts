/** Paths that are not in normal form are not answered, because guards before the server compare a path as it was sent. */

import { once } from 'node:events'
import http from 'node:http'
import http2 from 'node:http2'
import type { AddressInfo } from 'node:net'
import { serve as serveHono } from '@hono/node-server'
import express from 'express'
import fastify from 'fastify'
import { Hono } from 'hono'
import { describe, expect, onTestFinished, test, vi } from 'vitest'
import { createJobServer } from '../../src/server/index.ts'
import { findRoute, pathOf } from '../../src/server/routes.ts'
import type { JobServerOptions } from '../../src/server/server-options.ts'
import type { JobServer } from '../../src/server/types.ts'
import { openRaw, UPGRADE } from './defence/raw.ts'
import { serve } from './serve.ts'

/** Each is `/jobs/42`, or a path below it, after normalisation. */
const SPELLINGS = [
  '/x/../jobs/42',
  '/./jobs/42',
  '/jobs/./42',
  '/jobs/x/../42',
  '/jobs/../jobs/42',
  '//jobs/42',
  '/jobs//42',
  '/x/%2e%2e/jobs/42',
  '/x/%2E%2E/jobs/42',
  '/x/.%2e/jobs/42',
  '/%2e/jobs/42',
  '/x/..\\jobs/42',
  '\\jobs\\42',
  '/jobs\\42',
  '/x/..%2Fjobs/42',
  '/x/..%5Cjobs/42',
  '/%6Aobs/42',
  '/%6aobs/42',
  '/jobs/%34%32',
  '/jobs/4%32',
  '/jobs%2F42',
  '/jobs%2f42',
  '/jobs;x/42',
  '/;/jobs/42',
  '/..;/jobs/42',
  '/JOBS/42',
  'http://x/jobs/42',
  'http:/jobs/42',
  'x:/jobs/42',
  'jobs/42',
  '*',
  '/\tjobs/42',
  '/jobs/42\\..\\42'
]

/** The status of a request with exactly this target. It is 400 too if Node refuses the request itself. */
async function statusOf(port: number, target: string, rest = '', method = 'GET'): Promise<number> {
  const raw = await openRaw(port, `${method} ${target} HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n${rest || 'Connection: close\r\n\r\n'}`)
  await vi.waitFor(() => expect(raw.text()).toMatch(/^HTTP\/1.1 \d+ /), { timeout: 15_000 })
  raw.socket.destroy()
  return Number(raw.text().slice(9, 12))
}

async function portOf(server: http.Server | http2.Http2Server): Promise<number> {
  if (!server.listening) server.listen(0, '127.0.0.1')
  if (!server.listening) await once(server, 'listening')
  onTestFinished(() => {
    if ('closeAllConnections' in server) server.closeAllConnections()
    server.close()
  })
  return (server.address() as AddressInfo).port // as: it listens on TCP
}

async function create(options: JobServerOptions = {}): Promise<JobServer> {
  const jobs = createJobServer({ onError: () => {}, ...options })
  onTestFinished(() => jobs.close({ graceMs: 100 }))
  await jobs.publish('42', 'succeeded', 'secret')
  return jobs
}

const needsLogin = (req: express.Request, res: express.Response, next: express.NextFunction): void => {
  if (req.headers.authorization) next()
  else res.status(401).send('log in')
}

/** How applications mount the jobs, with a guard and without one. Each resolves with the port. */
const mounts: Record<string, (jobs: JobServer) => Promise<number>> = {
  attach: (jobs) => {
    const server = http.createServer((_, res) => res.writeHead(404).end('elsewhere'))
    jobs.attach(server)
    return portOf(server)
  },
  'handle, with next': (jobs) => portOf(http.createServer((req, res) => jobs.handle(req, res, () => res.writeHead(404).end('elsewhere')))),
  'handle, alone': (jobs) => portOf(http.createServer(jobs.handle)),
  'Express, guarded': (jobs) => portOf(http.createServer(express().use('/jobs', needsLogin).use(jobs.handle))),
  'Express, in a router': (jobs) => portOf(http.createServer(express().use('/jobs', needsLogin).use('/', express.Router().use(jobs.handle)))),
  async 'Fastify, guarded'(jobs) {
    const app = fastify({ forceCloseConnections: true, bodyLimit: 1000 })
    app.addHook('onRequest', (request, reply, done) => {
      if (request.raw.url?.startsWith('/jobs') && !request.headers.authorization) reply.code(401).send('log in')
      else done()
    })
    app.addHook('onRequest', (request, reply, done) => jobs.handle(request.raw, reply.raw, done))
    onTestFinished(() => app.close())
    await app.listen({ port: 0, host: '127.0.0.1' })
    return (app.server.address() as AddressInfo).port // as: it listens on TCP
  },
  'Hono, guarded': (jobs) => {
    const app = new Hono()
    app.use('/jobs/*', (c, next) => (c.req.header('authorization') ? next() : Promise.resolve(c.text('log in', 401))))
    app.all('*', (c) => jobs.fetch(c.req.raw, c))
    return portOf(serveHono({ fetch: app.fetch, port: 0, hostname: '127.0.0.1' }) as http.Server) // as: without options for another kind
  }
}
const OPEN = ['attach', 'handle, with next', 'handle, alone']

describe.each(Object.entries(mounts))('%s', (name, mount) => {
  test('answers the path itself', async () => {
    const port = await mount(await create())
    expect(await statusOf(port, '/jobs/42')).toBe(OPEN.includes(name) ? 200 : 401)
    expect(await statusOf(port, '/jobs/42?x=/../y', 'Authorization: x\r\nConnection: close\r\n\r\n')).toBe(200)
  })

  test.each(SPELLINGS)('answers nothing for %s', async (target) => {
    const start = vi.fn()
    const port = await mount(await create({ start }))
    expect(await statusOf(port, target)).toBeOneOf([400, 401, 404])
    await statusOf(port, target.replace('42', ''), '', 'POST')
    expect(start).not.toHaveBeenCalled()
  })
})

test.each(SPELLINGS)('a handshake of %s is refused', async (target) => {
  const { port, jobs } = await serve()
  await jobs.publish('42', 'queued')
  expect(await statusOf(port, target.replace('42', '42/events'), UPGRADE)).toBeOneOf([400, 404])
  expect(await statusOf(port, '/jobs/42/events', UPGRADE)).toBe(101)
})

test('the same over HTTP/2', async () => {
  const jobs = await create()
  const server = http2.createServer(jobs.handle)
  const session = http2.connect(`http://127.0.0.1:${await portOf(server)}`)
  onTestFinished(() => session.destroy())
  const status = async (path: string): Promise<unknown> => {
    const [headers] = await once(session.request({ ':path': path }), 'response')
    return headers[':status']
  }
  expect(await status('/jobs/42')).toBe(200)
  for (const target of SPELLINGS.filter((each) => each.startsWith('/') && !each.includes('\t'))) expect([target, await status(target)]).toEqual([target, 404])
})

describe('a router that strips its own path', () => {
  async function mount(): Promise<number> {
    const jobs = await create({ basePath: '/api/jobs' })
    const app = express().use('/api/jobs', needsLogin)
    app.use('/api', express.Router().use(jobs.handle))
    return portOf(http.createServer(app))
  }

  test('is recognised', async () => {
    const port = await mount()
    expect(await statusOf(port, '/api/jobs/42')).toBe(401)
    expect(await statusOf(port, '/api/jobs/42', 'Authorization: x\r\nConnection: close\r\n\r\n')).toBe(200)
  })

  test.each(['/api/../api/jobs/42', '/api/./jobs/42', '/api//jobs/42', '/x/../api/jobs/42', '/api/x/../jobs/42', '/api/%6Aobs/42', '/api/jobs/%34%32'])(
    'lets no request around its guard by %s',
    async (target) => {
      expect(await statusOf(await mount(), target)).toBeOneOf([401, 404])
    }
  )
})

test('fetch: a URL is normalised already, except for what the standard leaves', async () => {
  const jobs = await create()
  const status = async (url: string): Promise<number> => (await jobs.fetch(new Request(url))).status
  expect(await status('http://x/jobs/42')).toBe(200)
  for (const url of ['http://x//jobs/42', 'http://x/jobs//42', 'http://x/%6Aobs/42', 'http://x/jobs/%34%32'])
    expect([url, await status(url)]).toEqual([url, 404])
  // Adapters pass such objects, which look like a `Request`.
  const raw = { url: 'http://x/y/../jobs/42', method: 'GET', headers: new Headers(), signal: new AbortController().signal, body: null }
  expect((await jobs.fetch(raw as unknown as Request)).status).toBe(404) // as: see above
})

test.each([
  ['/jobs/a%2Fb/events', { to: 'events', job: 'a/b' }],
  ['/jobs/%C3%BC%20%3A', { to: 'snapshot', job: 'ü :' }],
  ['/jobs/%c3%bc%20%3a', { to: 'snapshot', job: 'ü :' }],
  ["/jobs/a!$&'()*+,;=:@~._-", { to: 'snapshot', job: "a!$&'()*+,;=:@~._-" }],
  ['/jobs/..a', { to: 'snapshot', job: '..a' }],
  ['/jobs/42/?x', { to: 'snapshot', job: '42' }],
  ['/jobs/42/events/', { to: 'events', job: '42' }],
  ['/jobs/events/', { to: 'events' }],
  ['/jobs/42/cancel/', { to: 'cancel', job: '42' }],
  ['/jobs/', { to: 'start' }],
  ['/jobs', { to: 'start' }]
])('a path in normal form is answered, with or without a slash at its end: %s', (target, route) => {
  expect(findRoute(pathOf(target)?.slice('/jobs'.length) ?? '/none/none/none')).toEqual(route)
})

test('every resource is answered with a slash at its end', async () => {
  const { jobs, get, post } = await serve({ start: () => 1 })
  await jobs.publish('42', 'queued')
  const statuses = [await post('/', '{}'), await get('/42/'), await get('/42/events/'), await get('/events/?job=42'), await post('/42/cancel/')]
  expect(statuses.map(({ status }) => status)).toEqual([202, 200, 200, 200, 202])
})

test.each(['/jobs//x', '/%6Aobs', '/a/../jobs'])('a basePath that no request can have is refused: %s', (basePath) => {
  expect(() => createJobServer({ basePath })).toThrow(/^basePath: expected a path/)
})
