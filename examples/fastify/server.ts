import fastify from 'fastify'
import { createJobServer } from 'jobtail/server'
import { authorize, idOf } from './auth.ts'
import { jobsPlugin } from './jobs-plugin.ts'
import { makeReport } from './report.ts'

const PORT = Number(process.env.PORT ?? 3000)
/** How long running jobs may go on after SIGTERM. Keep it below the time that your platform gives a process, often 30 s. */
const DRAIN_MS = 20_000

const app = fastify({ logger: true })
const jobs = createJobServer({
  authorize,
  idOf,
  start: makeReport,
  onError: (error, about) => app.log.error({ err: error, ...about })
})

app.register(jobsPlugin, { prefix: '/jobs', jobs, drainMs: DRAIN_MS })

app.get('/health', async (_request, reply) => {
  const { status } = await jobs.health()
  return reply.code(status === 'ok' ? 200 : 503).send(status)
})

await app.listen({ port: PORT, host: '::' })

process.once('SIGTERM', () => app.close())
