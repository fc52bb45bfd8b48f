/** BullMQ: an API process and a worker process on a real Redis. */

import { expect, test } from 'vitest'
import { createClient } from '../../src/index.ts'
import { redisPath, startRedis } from '../server/redis-server.ts'
import { copyExample, manifestOf, startCommand, startExample } from './example.ts'

test.skipIf(!redisPath)('bullmq-redis', { timeout: 120_000 }, async ({ onTestFinished }) => {
  const redis = await startRedis()
  onTestFinished(() => redis.remove())
  const env = { REDIS_URL: redis.url }
  const folder = copyExample('bullmq-redis', onTestFinished)
  const startWorker = () => startCommand(`exec ${manifestOf('bullmq-redis').scripts.worker}`, folder, onTestFinished, env)
  const worker = startWorker()
  const api = await startExample(folder, onTestFinished, { path: '/health', env })
  const url = `${api.origin}/jobs`
  const client = createClient({ url, token: 'ada-token', memory: false })
  onTestFinished(() => client.close())

  const add = (body: unknown, authorization = 'Bearer ada-token') =>
    fetch(`${api.origin}/videos`, { method: 'POST', body: JSON.stringify(body), headers: { 'content-type': 'application/json', authorization } })
  const follow = async (body: unknown) => client.subscribe(((await (await add(body)).json()) as { id: string }).id) // as: the example's answer

  expect((await add({}, 'Bearer nobody')).status).toBe(401)
  expect((await add({ title: 'No seconds' })).status).toBe(400)

  const input = { title: 'Holiday', seconds: 5 }
  const job = await follow(input)
  expect(job.jobId).toMatch(/^ada\./)
  const seen: unknown[] = []
  for await (const { type, data } of job) seen.push(type === 'progress' ? data.ratio : type)
  expect(seen).toEqual(['queued', 'queued', 'started', 0.2, 0.4, 0.6, 0.8, 1, 'succeeded'])
  expect(await job.result).toEqual({ url: '/videos/Holiday.mp4' })

  const bob = createClient({ url, token: 'bob-token', memory: false })
  onTestFinished(() => bob.close())
  await expect(bob.subscribe(job.jobId).result).rejects.toMatchObject({ code: 'forbidden' })

  // A cancel at the API ends the work in the worker.
  const long = await follow({ title: 'Long', seconds: 3600 })
  for await (const { type } of long) if (type === 'progress') void long.cancel()
  await expect(long.result).rejects.toMatchObject({ code: 'failed', message: expect.stringContaining('cancelled') })

  // A deploy of the workers: the old one ends the job that it has, the new one takes what comes.
  const last = await follow(input)
  let code: Promise<number | null> | undefined
  for await (const { type } of last) if (type === 'progress') code ??= worker.terminate()
  expect(await last.result).toEqual({ url: '/videos/Holiday.mp4' })
  expect(await code, worker.said()).toBe(0)
  startWorker()
  expect(await (await follow(input)).result).toEqual({ url: '/videos/Holiday.mp4' })
  expect(await api.terminate(), api.said()).toBe(0)
})
