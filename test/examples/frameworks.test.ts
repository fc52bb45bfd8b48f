/** Express, Fastify and Hono: the same jobs for the same users, mounted as each framework has it. */

import { expect, test } from 'vitest'
import { createClient, longPoll, shortPoll, sse, type Transport, webSocket } from '../../src/index.ts'
import { copyExample, type OnFinished, startExample } from './example.ts'

const TRANSPORTS: readonly Transport[] = [webSocket(), sse(), longPoll(), shortPoll()]

/** What a user of these examples has. */
function clientOf(url: string, onFinished: OnFinished, { token = 'ada-token', transports = TRANSPORTS } = {}) {
  const client = createClient({ url, token, transports, memory: false })
  onFinished(() => client.close())
  return client
}

test.for(['express', 'fastify', 'hono'])('%s', { timeout: 60_000, concurrent: true }, async (name, { onTestFinished }) => {
  const example = await startExample(copyExample(name, onTestFinished), onTestFinished, { path: '/health' })
  const url = `${example.origin}/jobs`
  const ada = clientOf(url, onTestFinished)
  expect(await (await fetch(`${example.origin}/health`)).text()).toBe('ok')
  expect((await fetch(`${example.origin}/elsewhere`)).status).toBe(404)

  // Who may do what.
  expect((await fetch(url, { method: 'POST', body: '{}' })).status).toBe(401)
  const long = await ada.start({ title: 'Long', pages: 500 })
  expect(long.jobId).toMatch(/^ada\./)
  expect((await fetch(`${url}/${long.jobId}`)).status).toBe(401)
  await expect(clientOf(url, onTestFinished, { token: 'bob-token' }).subscribe(long.jobId).result).rejects.toMatchObject({ code: 'forbidden' })
  await expect(clientOf(url, onTestFinished, { token: 'nobody' }).start({})).rejects.toMatchObject({ code: 'unauthorized' })

  // A job from its start to its end, by each transport.
  const followed = TRANSPORTS.map(async (transport) => {
    const job = await clientOf(url, onTestFinished, { transports: [transport] }).start({ title: transport.name, pages: 5 })
    const seen: unknown[] = []
    let carrier: string | undefined
    for await (const { type, data } of job) {
      seen.push(type === 'progress' ? data.ratio : type)
      carrier = job.state.connection.transport ?? carrier
    }
    return { seen, carrier, result: await job.result, id: job.jobId }
  })
  for (const [index, { seen, carrier, result, id }] of (await Promise.all(followed)).entries()) {
    expect(carrier).toBe(TRANSPORTS[index]?.name)
    expect(seen).toEqual(['queued', 'started', 0.2, 0.4, 0.6, 0.8, 1, 'succeeded'])
    expect(result).toEqual({ url: `/reports/${id}.pdf` })
  }

  // What is wrong with an input is told, and a cancel ends the work.
  await expect((await ada.start({ title: 'No pages' })).result).rejects.toMatchObject({ code: 'bad-input', message: /^pages: expected an integer/ })
  await long.cancel()
  await expect(long.result).rejects.toMatchObject({ code: 'cancelled' })

  // A deploy: the running job ends as if nothing were, whoever follows it sees it, and the process ends by itself.
  const last = await clientOf(url, onTestFinished, { transports: [sse()] }).start({ title: 'Last', pages: 5 })
  let code: Promise<number | null> | undefined
  const seen: string[] = []
  for await (const { type } of last) {
    seen.push(type)
    if (type === 'progress') code ??= example.terminate()
  }
  expect(seen.at(-1)).toBe('succeeded')
  expect(await code, example.said()).toBe(0)
})
