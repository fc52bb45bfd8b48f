import express from 'express'
import { createJobServer } from 'jobtail/server'
import { authorize, idOf } from './auth.ts'
import { makeReport } from './report.ts'

const PORT = Number(process.env.PORT ?? 3000)
/** How long running jobs may go on after SIGTERM. Keep it below the time that your platform gives a process, often 30 s. */
const DRAIN_MS = 20_000

const jobs = createJobServer({ authorize, idOf, start: makeReport })
const app = express()

// Answers everything below /jobs, and passes on the rest.
app.use(jobs.handle)

app.get('/health', async (_req, res) => {
  const { status } = await jobs.health()
  res.status(status === 'ok' ? 200 : 503).send(status)
})

const server = app.listen(PORT, () => console.log(`http://localhost:${PORT}/jobs`))

// WebSockets come by this event, which Express knows nothing of.
server.on('upgrade', jobs.upgrade)

process.once('SIGTERM', async () => {
  server.close() // new connections go to another node
  await jobs.close({ drainMs: DRAIN_MS })
  server.closeAllConnections()
})
