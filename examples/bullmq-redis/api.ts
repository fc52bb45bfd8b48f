import { Queue } from 'bullmq'
import express from 'express'
import { createJobServer } from 'jobtail/server'
import { bullmqBridge } from 'jobtail/server/bullmq'
import { redisLog } from 'jobtail/server/redis'
import { authorize, newJobId, userOf } from './auth.ts'
import { connection, QUEUE, REDIS_URL, type Video } from './queue.ts'

const PORT = Number(process.env.PORT ?? 3000)
const MAX_SECONDS = 3600

const queue = new Queue<Video>(QUEUE, { connection })
// Without `start`: POST /videos adds jobs, and workers run them.
const jobs = createJobServer({ authorize, log: redisLog({ url: REDIS_URL }) })
// What happens in the queue becomes events. Every API process may have a bridge: one of them works, the others stand by.
const bridge = bullmqBridge({ queue: QUEUE, connection, jobs })

const app = express()

// Everything below /jobs: follow, cancel, look.
app.use(jobs.handle)

/** Adds a job to the queue. Its id is that of the events: `subscribe(id)` follows it. */
app.post('/videos', express.json(), async (req, res) => {
  const user = userOf(req.get('authorization'))
  if (!user) return void res.status(401).json({ error: 'a token is required' })
  const { title, seconds } = Object(req.body)
  if (typeof title !== 'string' || !(seconds > 0 && seconds <= MAX_SECONDS))
    return void res.status(400).json({ error: `expected a title, and seconds from 1 to ${MAX_SECONDS}` })
  const jobId = newJobId(user)
  await queue.add('encode', { title, seconds }, { jobId, removeOnComplete: { age: 3600 }, removeOnFail: { age: 24 * 3600 } })
  res.status(202).json({ id: jobId })
})

app.get('/health', async (_req, res) => {
  const { status } = await jobs.health()
  res.status(status === 'ok' ? 200 : 503).send(status)
})

const server = app.listen(PORT, () => console.log(`http://localhost:${PORT}/jobs`))
server.on('upgrade', jobs.upgrade)

process.once('SIGTERM', async () => {
  server.close() // new connections go to another process
  await bridge.close() // another process's takes over
  await jobs.close()
  await queue.close()
  server.closeAllConnections()
})
