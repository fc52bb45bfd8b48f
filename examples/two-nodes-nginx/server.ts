import http from 'node:http'
import { createJobServer } from 'jobtail/server'
import { redisLog } from 'jobtail/server/redis'
import { authorize, idOf } from './auth.ts'
import { makeReport } from './report.ts'

const PORT = Number(process.env.PORT ?? 3000)
const REDIS_URL = process.env.REDIS_URL ?? 'redis://localhost:6379'
/** How long running jobs may go on after SIGTERM. Keep it below `stop_grace_period` of compose.yaml. */
const DRAIN_MS = 20_000

const jobs = createJobServer({
  authorize,
  idOf,
  start: makeReport,
  // Both nodes share the jobs: whoever starts one here can follow it there.
  log: redisLog({ url: REDIS_URL }),
  // A job whose node has died is run again by the other one. Its work may then be done twice: leave this out where that does harm.
  onLost: 'rerun',
  // A node that says nothing for so long is taken for dead.
  leaseMs: 5000
})

const server = http.createServer(async (req, res) => {
  if (req.url !== '/health') return void res.writeHead(404).end()
  const { status } = await jobs.health() // 'closing' during a deploy, 'failing' where Redis is away
  res.writeHead(status === 'ok' ? 200 : 503).end(status)
})

// nginx keeps its connections for 60 s. Without this, now and then a request would meet one that Node is just closing.
server.keepAliveTimeout = 75_000

jobs.attach(server)
server.listen(PORT, () => console.log(`http://localhost:${PORT}/jobs`))

process.once('SIGTERM', async () => {
  server.close() // new connections go to the other node
  await jobs.close({ drainMs: DRAIN_MS })
  server.closeAllConnections()
})
