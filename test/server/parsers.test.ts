/** Body parsers of Express before the job server. The work gets what the client has sent. */

import http from 'node:http'
import express, { type RequestHandler } from 'express'
import { describe, expect, onTestFinished, test } from 'vitest'
import { createClient } from '../../src/core.ts'
import { createJobServer } from '../../src/server/index.ts'
import { shortPoll } from '../../src/transports/poll.ts'
import { listen } from './adapters/mount.ts'

async function stage(...parsers: RequestHandler[]): Promise<string> {
  const jobs = createJobServer({ start: (_, input) => ({ input }), authorize: () => ({ allow: true, subject: 'test' }), shortPollPauseMs: 20 })
  onTestFinished(() => jobs.close({ graceMs: 100 }))
  const app = express()
  if (parsers.length > 0) app.use(parsers)
  app.use(jobs.handle)
  return `${await listen(http.createServer(app))}/jobs`
}

async function given(url: string, input?: unknown): Promise<unknown> {
  const client = createClient({ url, transports: [shortPoll()] })
  onTestFinished(() => client.close())
  const job = await client.start(input)
  return job.result
}

const { json, raw, text, urlencoded } = express
const parsers: Record<string, RequestHandler[]> = {
  none: [],
  'json()': [json()],
  'json({ strict: false })': [json({ strict: false })],
  'urlencoded()': [urlencoded({ extended: true })],
  'json() and urlencoded()': [json(), urlencoded({ extended: false })],
  'text() for every type': [text({ type: '*/*' })],
  'raw() for every type': [raw({ type: '*/*' })]
}

describe.each(Object.entries(parsers))('behind %s', (name, handlers) => {
  test('start() without input: the work gets none', async () => {
    expect(await given(await stage(...handlers))).toEqual({})
  })

  const inputs: unknown[] = [{ a: 'ü', b: [1, null] }, [1, 2], {}, []]
  // By default, `json()` takes only objects and lists.
  if (!name.startsWith('json()')) inputs.push(null, 0, 5, true, '', 'text', '5', '"5"', '{"a":1}', 'ü\n')
  test.each(inputs.map((input) => [input]))('start(%j)', async (input) => {
    expect(await given(await stage(...handlers), input)).toEqual({ input })
  })
})

test('a form becomes an object of its fields', async () => {
  const url = await stage(urlencoded({ extended: true }))
  const { id } = await (await fetch(url, { method: 'POST', body: new URLSearchParams({ report: 'yearly', year: '2026' }) })).json()
  await expect.poll(async () => (await fetch(`${url}/${id}`)).json()).toMatchObject({ result: { input: { report: 'yearly', year: '2026' } } })
})

test('a chunked body of unknown length', async () => {
  for (const strings of [json({ strict: false }), text({ type: '*/*' })]) {
    const url = await stage(strings)
    const body = new Blob(['"hello"']).stream()
    const { id } = await (await fetch(url, { method: 'POST', body, duplex: 'half', headers: { 'content-type': 'application/json' } } as RequestInit)).json() // as: `duplex` is not in the type
    await expect.poll(async () => (await fetch(`${url}/${id}`)).json()).toMatchObject({ result: { input: 'hello' } })
  }
})
