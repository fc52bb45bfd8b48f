/** Compiled like a user's server. */

import http from 'node:http'
import { createJobServer, type EventLog, type JobContext, type JobServer, type JobSnapshot, type LogPage, memoryLog } from 'jobtail/server'
import { type BullmqBridge, bullmqBridge } from 'jobtail/server/bullmq'
import { type RedisLogOptions, redisLog } from 'jobtail/server/redis'
import { describeEventLog } from 'jobtail/testing'

async function transcode(input: unknown, job: JobContext): Promise<{ url: string }> {
  await job.progress({ ratio: 0.5, message: String(input) })
  await job.log('half way', 'debug')
  await job.output('chunk')
  await job.publish('thumbnail', { url: '/1.png' })
  job.signal.throwIfAborted()
  await job.progress(0.5)
  // @ts-expect-error: progress is an object or a ratio
  await job.progress('half')
  return { url: `/${job.id}` }
}

const jobs: JobServer = createJobServer({
  basePath: '/jobs',
  log: memoryLog({ maxEvents: 1000, ttlMs: 60_000 }),
  start: (job, input) => transcode(input, job),
  authorize: ({ request, action, jobId, source }) => {
    if (request.headers.get('authorization') === null) return { status: 401 }
    // @ts-expect-error: there is no such action
    if (action === 'write') return false
    if (source.address === undefined && source.context === undefined) return null
    return action === 'read' ? { allow: true, expiresAt: Date.now() + 1000 } : jobId !== '1'
  },
  origins: ['https://app.example.com'],
  heartbeatMs: 15_000,
  maxJobsPerConnection: 10
})

const options: RedisLogOptions = { url: 'redis://localhost', prefix: 'jobs:', maxEvents: 1000, ttlMs: 60_000, assumeNoLoss: true, timeoutMs: 1000 }
export const shared: JobServer = createJobServer({ log: redisLog(options) })
describeEventLog('mine', { create: ({ maxEvents }) => redisLog({ maxEvents }) })
// @ts-expect-error: a URL is a string
redisLog({ url: 6379 })

const bridge: BullmqBridge = bullmqBridge({ queue: 'videos', connection: { host: 'redis', port: 6379 }, jobs, idOf: (id) => `video-${id}` })
// @ts-expect-error: the log is missing
bullmqBridge({ queue: 'videos', connection: {} })

const server = http.createServer(jobs.handle)
server.on('upgrade', jobs.upgrade)
jobs.attach(http.createServer().listen(0))
export default { fetch: jobs.fetch }

export async function use(log: EventLog): Promise<void> {
  const { seq } = await jobs.publish('42', 'started', { attempt: 1 })
  const length: number = await jobs.run('43', async (job) => job.id.length)
  const page: LogPage | undefined = await log.read('42', undefined, 10)
  const snapshot: JobSnapshot | undefined = await log.snapshot('42')
  console.log(seq, length, page?.events[0]?.type, snapshot?.status)
  await log.append('42', 'log', null, { expectSeq: 1 })
  const stop = await log.watch('42', () => {})
  stop()
  await bridge.ready
  await bridge.close()
  await jobs.close({ graceMs: 100 })
  // @ts-expect-error: a type is a string
  await jobs.publish('42', 1)
}

// @ts-expect-error: `allow` or `status` is missing
createJobServer({ authorize: () => ({ subject: '1' }) })
// @ts-expect-error: there is no such option
createJobServer({ heartbeat: 1 })
