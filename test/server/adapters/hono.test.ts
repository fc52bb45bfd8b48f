import type http from 'node:http'
import { serve } from '@hono/node-server'
import { Hono } from 'hono'
import { compress } from 'hono/compress'
import { describeMount, listen } from './mount.ts'

// as: without other options, `serve` makes a server of node:http
const start = (app: Hono) => serve({ fetch: app.fetch, port: 0, hostname: '127.0.0.1' }) as http.Server

describeMount('Hono', {
  async mount(jobs) {
    const app = new Hono()
    app.all('/jobs/*', ({ req }) => jobs.fetch(req.raw))
    app.get('/page', (c) => c.text('the page'))
    const server = start(app)
    server.on('upgrade', jobs.upgrade)
    return { origin: await listen(server) }
  },
  elsewhere: /404 Not Found/
})

describeMount('Hono, below a path, behind compression', {
  basePath: '/api/jobs',
  transports: ['sse', 'long-poll', 'short-poll'],
  async mount(jobs) {
    const api = new Hono().all('/jobs/*', ({ req }) => jobs.fetch(req.raw))
    const app = new Hono().use(compress({ threshold: 0 })).route('/api', api)
    app.get('/page', (c) => c.text('the page'))
    return { origin: await listen(start(app)) }
  },
  elsewhere: /404 Not Found/
})

describeMount('Hono, whose server is attached to', {
  async mount(jobs) {
    const app = new Hono()
    app.get('/page', (c) => c.text('the page'))
    const server = start(app)
    jobs.attach(server)
    return { origin: await listen(server) }
  },
  elsewhere: /404 Not Found/
})
