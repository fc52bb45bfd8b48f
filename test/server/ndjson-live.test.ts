/** NDJSON as a live stream (PROTOCOL.md §3). */

import { expect, onTestFinished, test, vi } from 'vitest'
import type { Fields } from './clients.ts'
import { createGate } from './gate.ts'
import { type Served, serve } from './serve.ts'

interface Lines {
  response: Response
  /** The frame of each whole line so far. */
  frames(): Fields[]
  controls(): unknown[]
  seqs(): unknown[]
  ended: Promise<void>
}

async function open({ base }: Pick<Served, 'base'>, path: string): Promise<Lines> {
  const abort = new AbortController()
  onTestFinished(() => abort.abort())
  const url = new URL(base + path)
  url.searchParams.append('live', '1')
  const response = await fetch(url, { headers: { accept: 'application/x-ndjson' }, signal: abort.signal })
  let text = ''
  const ended = (async () => {
    const decoder = new TextDecoder()
    for await (const chunk of response.body ?? []) text += decoder.decode(chunk, { stream: true })
  })()
  ended.catch(() => {}) // only a test that awaits it needs the error
  const frames = (): Fields[] =>
    text
      .split('\n')
      .slice(0, -1)
      .map((line) => JSON.parse(line))
  return {
    response,
    frames,
    controls: () => frames().flatMap(({ control }) => (control === undefined ? [] : [control])),
    seqs: () => frames().flatMap(({ seq, control }) => (control === undefined ? [seq] : [])),
    ended
  }
}

test('hello, subscribed, the events so far, new events, done, and the end of the body', async () => {
  const served = await serve({ heartbeatMs: 9000, maxJobsPerConnection: 7 })
  const queued = await served.jobs.publish('42', 'queued', 'line\nline\r\nü\u2028')
  const stream = await open(served, '/42/events')
  expect(Object.fromEntries(stream.response.headers)).toMatchObject({
    'content-type': 'application/x-ndjson',
    'cache-control': 'private, no-store, no-transform',
    'x-accel-buffering': 'no',
    incremental: '?1',
    'x-content-type-options': 'nosniff'
  })
  await vi.waitFor(() => expect(stream.seqs()).toEqual([1]))
  expect(served.jobs.metrics().connections).toMatchObject({ ndjson: 1, 'short-poll': 0 })
  const started = await served.jobs.publish('42', 'started')
  await vi.waitFor(() => expect(stream.seqs()).toEqual([1, 2]))
  const end = await served.jobs.publish('42', 'succeeded', 7)
  await stream.ended
  expect(stream.frames()).toEqual([
    { control: 'hello', protocol: 1, heartbeatMs: 9000, mux: 7 },
    { control: 'subscribed', job: '42', epoch: expect.any(String), seq: 0, cursor: expect.stringMatching(/-0$/), status: 'queued' },
    queued,
    started,
    end,
    { control: 'done', job: '42', cursor: end.id }
  ])
  await vi.waitFor(() => expect(served.jobs.metrics().connections.ndjson).toBe(0))
})

test('sends heartbeats, and says goodbye where the server closes', async () => {
  const served = await serve({ heartbeatMs: 50 })
  await served.jobs.publish('42', 'queued')
  const stream = await open(served, '/42/events?after=tail')
  await vi.waitFor(() => expect(stream.controls().slice(0, 4)).toEqual(['hello', 'subscribed', 'heartbeat', 'heartbeat']))
  await served.jobs.close({ graceMs: 5000 })
  await stream.ended
  expect(stream.frames().at(-1)).toMatchObject({ control: 'bye', reason: 'shutdown' })
})

test('says goodbye where the window is used up', async () => {
  const served = await serve()
  for (let seq = 1; seq <= 5; seq += 1) await served.jobs.publish('42', 'output', 'x'.repeat(1000))
  const stream = await open(served, '/42/events?window=2500')
  await stream.ended
  expect(stream.seqs()).toEqual([1, 2, 3])
  expect(stream.frames().at(-1)).toEqual({ control: 'bye', reason: 'window', retryMs: 0 })
})

test('a finished log is told by done, also to a cursor at its end', async () => {
  const served = await serve()
  const { id } = await served.jobs.publish('42', 'succeeded')
  const stream = await open(served, `/42/events?after=${id}`)
  await stream.ended
  expect(stream.response.status).toBe(200)
  expect(stream.controls()).toEqual(['hello', 'subscribed', 'done'])
})

test('several jobs, one of which is not known; a single job that is not known is a status', async () => {
  const served = await serve()
  await served.jobs.publish('a', 'queued')
  const stream = await open(served, '/events?job=none&job=a')
  await vi.waitFor(() => expect(stream.seqs()).toEqual([1]))
  await served.jobs.publish('a', 'succeeded')
  await stream.ended
  expect(stream.frames()).toContainEqual(expect.objectContaining({ control: 'error', job: 'none', status: 404, code: 'unknown-job' }))
  expect(stream.controls().sort()).toEqual(['done', 'error', 'hello', 'subscribed'])
  expect((await open(served, '/none/events')).response.status).toBe(404)
})

test('goes on through an outage of the log', async () => {
  const gate = createGate()
  const served = await serve({ log: gate.log, heartbeatMs: 50 })
  await served.jobs.publish('42', 'queued')
  const stream = await open(served, '/42/events')
  await vi.waitFor(() => expect(stream.seqs()).toEqual([1]))
  const restore = gate.outage()
  await vi.waitFor(() => expect(stream.controls()).toContain('heartbeat'))
  await restore?.()
  await served.jobs.publish('42', 'succeeded')
  await stream.ended
  expect(stream.seqs()).toEqual([1, 2])
})
