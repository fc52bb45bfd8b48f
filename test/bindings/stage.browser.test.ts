/** The stage on which bindings are tested: what it serves and counts. */

import { expect, test } from 'vitest'
import { createClient } from '../../src/index.ts'
import { createStage } from './stage.ts'

test('a job that the page starts runs until it is finished', async () => {
  const stage = await createStage()
  const client = createClient({ url: stage.url, memory: false })
  const job = await client.start({ file: 'a.pdf' })
  await stage.publish(job.jobId, 'progress', { ratio: 0.5 })
  expect((await stage.counts()).open).toBe(0) // nobody follows it
  job.onChange(() => {})
  await expect.poll(() => job.state.progress).toEqual({ ratio: 0.5 })
  expect(await stage.counts()).toMatchObject({ open: 1, arrived: { websocket: 1, snapshot: 1, read: 0, start: 1, cancel: 0 } })
  await stage.finish(job.jobId, { pages: 3 })
  expect(await job.result).toEqual({ pages: 3 })
  await expect.poll(async () => (await stage.counts()).open).toBe(0)
  client.close()
})

test('a job that is published to is followed through a cut and a refusal', async () => {
  const stage = await createStage()
  await stage.publish('42', 'started')
  const client = createClient({ url: stage.url, memory: false, retry: { baseMs: 1 } })
  const job = client.subscribe('42')
  job.onChange(() => {})
  await expect.poll(() => job.state.connection.transport).toBe('websocket')
  await stage.set({ webSocket: 'refuse' })
  await stage.cut()
  await expect.poll(() => job.state.connection.transport).toBe('sse')
  expect(await stage.burst('42', { perSecond: 1000, ms: 100 })).toBe(100)
  await job.cancel()
  await stage.publish('42', 'cancelled')
  await expect(job.result).rejects.toMatchObject({ code: 'cancelled' })
  expect((await stage.counts()).arrived).toMatchObject({ websocket: 2, sse: 1, cancel: 1 })
  client.close()
})
