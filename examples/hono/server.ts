import type { Server } from 'node:http'
import { serve } from '@hono/node-server'
import { Hono } from 'hono'
import { createJobServer } from 'jobtail/server'
import { authorize, idOf } from './auth.ts'
import { makeReport } from './report.ts'

const PORT = Number(process.env.PORT ?? 3000)
/** How long running jobs may go on after SIGTERM. Keep it below the time that your platform gives a process, often 30 s. */
const DRAIN_MS = 20_000

const jobs = createJobServer({ authorize, idOf, start: makeReport })
const app = new Hono()

// `authorize` finds Hono's context in `source.context`, with what your middleware has set.
app.all('/jobs/*', (c) => jobs.fetch(c.req.raw, c))

app.get('/health', async (c) => {
  const { status } = await jobs.health()
  return c.text(status, status === 'ok' ? 200 : 503)
})

// as: a Server of node:http, since no other kind is asked for
const server = serve({ fetch: app.fetch, port: PORT }, () => console.log(`http://localhost:${PORT}/jobs`)) as Server

// WebSockets come by this event. Hono's middleware doesn't run for them, so they have no `source.context`.
server.on('upgrade', jobs.upgrade)

process.once('SIGTERM', async () => {
  server.close() // new connections go to another node
  await jobs.close({ drainMs: DRAIN_MS })
  server.closeAllConnections()
})
