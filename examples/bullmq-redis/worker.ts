import { setTimeout as sleep } from 'node:timers/promises'
import { type Job, UnrecoverableError, Worker } from 'bullmq'
import { onCancel } from 'jobtail/server/bullmq'
import { redisLog } from 'jobtail/server/redis'
import { connection, QUEUE, REDIS_URL, type Video } from './queue.ts'

const log = redisLog({ url: REDIS_URL })

const worker = new Worker<Video>(
  QUEUE,
  async (job, _token, signal) => {
    const id = job.id ?? '' // only jobs that are not in a queue yet have none
    // Somebody may ask any API process for a cancel. BullMQ then aborts the signal of the worker that has the job.
    const stop = await onCancel(log, id, () => worker.cancelJob(id))
    try {
      return await encode(job, signal)
    } finally {
      stop()
    }
  },
  { connection, concurrency: 4 }
)

/** Encodes a video, second by second. Replace this by your work, and give it the signal. What it returns is the job's result. */
async function encode(job: Job<Video>, signal: AbortSignal | undefined): Promise<{ url: string }> {
  const { title, seconds } = job.data
  for (let second = 1; second <= seconds; second++) {
    // BullMQ doesn't try it again after this error. Its message is shown to whoever follows the job.
    if (signal?.aborted) throw new UnrecoverableError('cancelled')
    await sleep(200)
    await job.updateProgress({ current: second, total: seconds, unit: 'seconds' })
  }
  return { url: `/videos/${encodeURIComponent(title)}.mp4` }
}

worker.on('error', console.error)
worker.once('ready', () => console.log('the worker is ready'))

process.once('SIGTERM', async () => {
  await worker.close() // waits for the jobs that it has
  await log.close()
})
