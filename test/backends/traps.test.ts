/** Traps of other servers that are not among the tests of one backend. */

import { describe, expect, onTestFinished, test, vi } from 'vitest'
import { MAX_MESSAGE_CHARS } from '../../src/backend/stream-options.ts'
import {
  a2a,
  celeryProgress,
  durableStreams,
  laravelBatch,
  mcpTask,
  mercure,
  microsoftLro,
  nchan,
  ndjson,
  plainSse,
  statusPoll,
  workflow
} from '../../src/backends.ts'
import type { Diagnostic } from '../../src/types.ts'
import { type Answer, brief, clientOf, eventsOf, serveAnswers } from './following.ts'
import { answerOf, recording } from './recording.ts'
import { only } from './transports.ts'

const FAST = { pollMs: 2, maxPollMs: 5 }
const SSE = { 'content-type': 'text/event-stream' }
const json = (value: unknown, more: object = {}): Answer => ({ headers: { 'content-type': 'application/json', ...more }, body: JSON.stringify(value) })

describe('streams', () => {
  test("`retry:` is a wish: the pauses are the client's own", async () => {
    const { url } = await serveAnswers([
      { headers: SSE, body: 'retry: 3600000\n\nid: 1\ndata: 1\n\n' },
      { headers: SSE, body: 'data: [DONE]\n\n' }
    ])
    expect((await eventsOf(plainSse(), url)).map(({ type }) => type)).toEqual(['output', 'succeeded'])
  })

  test("Laravel's end is an option", async () => {
    const { url } = await serveAnswers([{ headers: SSE, body: 'event: update\ndata: 1\n\nevent: update\ndata: </stream>\n\n' }])
    expect(brief(await eventsOf(plainSse({ promises: 'replay', end: '</stream>' }), url))).toEqual([
      ['update', 1],
      ['succeeded', null]
    ])
  })

  test.each([
    ['a line of NDJSON', ndjson({ promises: 'replay' }), 'application/x-ndjson', ''],
    ['an event', plainSse(), 'text/event-stream', 'data: ']
  ])('%s without an end is not kept for ever', { timeout: 60_000 }, async (_, backend, type, head) => {
    const { url } = await serveAnswers([{ headers: { 'content-type': type }, body: [head, 'x'.repeat(MAX_MESSAGE_CHARS), 'yy'] }])
    const failed: Diagnostic[] = []
    const job = clientOf(backend, url, { onDiagnostic: (each) => 'reason' in each && each.reason === 'protocol' && failed.push(each) }).subscribe('1')
    job.onChange(() => {})
    onTestFinished(job.close)
    await vi.waitFor(() => expect(failed).not.toEqual([]), 50_000)
  })

  test('a single read of a stream that begins anew each time reads the document, never the stream', async () => {
    const { url, requests } = await serveAnswers(({ url }) => (url === '/status' ? json({}) : { headers: SSE, body: 'data: [DONE]\n\n' }))
    const backend = plainSse({ promises: 'replay', status: { request: () => '/status', read: () => [['started']] } })
    const read = backend.readOnce?.open({
      base: new URL(url),
      fetch: globalThis.fetch,
      signal: new AbortController().signal,
      headers: new Headers(),
      jobs: [{ job: 'j1', ref: '1' }]
    } as unknown as Parameters<NonNullable<typeof backend.readOnce>['open']>[0]) // as: the fields that a request needs
    for await (const _ of read?.frames ?? []); // to its end
    expect(requests.map((each) => each.url)).toEqual(['/status'])
  })

  test('a workflow whose answers stay empty is asked again after growing pauses', async () => {
    const { url, requests } = await serveAnswers([{ headers: SSE, body: '' }])
    const pauses: number[] = []
    const job = clientOf(workflow(), url, {
      retry: { baseMs: 5, maxMs: 40 },
      onDiagnostic: (each) => each.type === 'waiting' && pauses.push(each.ms)
    }).subscribe('w1')
    job.onChange(() => {})
    onTestFinished(job.close)
    await vi.waitFor(() => expect(requests.length).toBeGreaterThan(5))
    expect(pauses.length).toBeGreaterThanOrEqual(requests.length - 2)
  })

  test('a hub whose header cannot be read, as across origins, is believed', async () => {
    const { url } = await serveAnswers([{ headers: SSE, body: 'event: succeeded\ndata: 1\n\n' }])
    expect(brief(await eventsOf(mercure(), url, { after: '3.0.urn:uuid:3' }))).toEqual([['succeeded', 1]])
  })

  test('an offset may have 256 characters', async () => {
    const offset = 'f'.repeat(256)
    const control = (more: string): string => `event: control\ndata:{"streamNextOffset":"${offset}"${more}}\n\n`
    const { url, requests } = await serveAnswers([
      { headers: SSE, body: `event: data\ndata:[1]\n\n${control('')}event: data\ndata:[2]\n\n`, isCut: true },
      { headers: SSE, body: `event: data\ndata:[2]\n\n${control(',"streamClosed":true').replace('ff"', 'fg"')}` }
    ])
    const events = await eventsOf(only(durableStreams(), 'sse'), url)
    expect(brief(events)).toEqual([
      ['output', 1],
      ['output', 2],
      ['succeeded', 2]
    ])
    expect(requests.at(-1)?.url).toContain(`offset=${offset}`)
  })

  test('a channel that begins anew before the cursor is a gap, where its messages are numbered', async () => {
    const { url } = await serveAnswers([{ headers: SSE, body: ': hi\n\nid: 5:0\ndata: {"seq":1}\n\nid: 5:1\ndata: [DONE]\n\n' }])
    const events = await eventsOf(only(nchan({ seqField: 'seq' }), 'sse'), url, { after: '7.0.9:0~7' })
    expect(events.map(({ type }) => type)).toEqual(['gap', 'output', 'succeeded'])
  })
})

describe('documents', () => {
  test('a redirect that ends at a page, such as a login page, is no result', async () => {
    let asked = 0
    const { url } = await serveAnswers(({ url }) => {
      if (url === '/login') return { headers: { 'content-type': 'text/html' }, body: '<html>' }
      asked += 1
      return asked === 1 ? { status: 302, headers: { location: '/login' } } : json({ rows: 3 })
    })
    expect(brief(await eventsOf(statusPoll(FAST), url))).toEqual([['succeeded', { rows: 3 }]])
  })

  test('what ends a job ends it once: no document is read after it', async () => {
    const { url, requests } = await serveAnswers([json({ status: 'Failed', error: { code: 'a', message: 'b' } }), json({ status: 'Succeeded', result: 1 })])
    expect(brief(await eventsOf(microsoftLro(FAST), url))).toEqual([['failed', { code: 'a', message: 'b' }]])
    expect(requests).toHaveLength(1)
  })

  test('an older Azure service names the operation in `Azure-AsyncOperation`', async () => {
    const { url } = await serveAnswers(({ method }) =>
      method === 'POST'
        ? { status: 202, headers: { 'azure-asyncoperation': `${url}/o1`, location: `${url}/resource` } }
        : json({ status: 'Succeeded', result: 1 })
    )
    expect((await clientOf(microsoftLro(FAST), url).start({})).jobId).toBe(`${url}/o1`)
  })

  test('an empty batch has no progress, and is over when it says so', async () => {
    const empty = { totalJobs: 0, processedJobs: 0, failedJobs: 0, progress: 0, options: [], cancelledAt: null, finishedAt: null }
    const { url } = await serveAnswers([json(empty), json({ ...empty, finishedAt: 'now' })])
    expect((await eventsOf(laravelBatch(FAST), url)).map(({ type }) => type)).toEqual(['queued', 'succeeded'])
  })

  test('a task may complete though its cancel was accepted, and its pause may change', async () => {
    const { url } = await serveAnswers(({ body }) =>
      body.includes('tasks/cancel')
        ? json({ result: {} })
        : json({ result: { status: isCancelled ? 'completed' : 'working', pollIntervalMs: isCancelled ? 60_000 : 1, result: 1 } })
    )
    let isCancelled = false
    const job = clientOf(mcpTask(), url).subscribe('t1')
    const seen: string[] = []
    for await (const { type } of job) {
      seen.push(type)
      if (type !== 'started') continue
      await job.cancel()
      isCancelled = true
    }
    expect(seen).toEqual(['started', 'succeeded'])
  })

  test('an A2A task that is over cannot be cancelled, which is an error and no end', async () => {
    const { url } = await serveAnswers([answerOf(recording('a2a')('cancel after the end'))])
    await expect(clientOf(a2a(), url).subscribe('1').cancel()).rejects.toMatchObject({ message: expect.stringContaining('400') })
  })
})

describe('celeryProgress', () => {
  const celery = recording('celery-progress')

  test('a task that raises Ignore keeps its state, and never ends', async () => {
    const names = ['poll: ignore, 1', 'poll: ignore, 2', 'poll: ignore, 3']
    const { url, requests } = await serveAnswers(names.map((name) => answerOf(celery(name))))
    const job = clientOf(celeryProgress(FAST), url).subscribe('1')
    const seen: string[] = []
    for await (const { type } of job) if (seen.push(type) === 2) break
    expect(seen).toEqual(['queued', 'progress'])
    const later = clientOf(celeryProgress(FAST), url).subscribe('1')
    later.onChange(() => {})
    onTestFinished(later.close)
    const { length } = requests
    await vi.waitFor(() => expect(requests.length).toBeGreaterThan(length + 5))
    expect(later.state.status).toBe('running')
  })

  const group = (complete: boolean, success: boolean, current: number) =>
    json({ complete, success, progress: { pending: false, current, total: 4, percent: current * 25 } })
  test.each([
    ['all have succeeded', [group(false, false, 1), group(true, true, 4)], ['succeeded', null]],
    // A member in RETRY says so too, and the group goes on: its document does not tell.
    [
      'one has failed, or waits for its retry',
      [group(false, false, 1), group(true, false, 4)],
      ['failed', { code: 'failed', message: 'a task of the group has failed' }]
    ]
  ])('a group has no state: %s', async (_, answers, end) => {
    const { url } = await serveAnswers(answers)
    expect(brief(await eventsOf(celeryProgress(FAST), url))).toEqual([['progress', { current: 1, total: 4, ratio: 0.25 }], end])
  })
})

test.each([{}, { 'retry-after': '1' }])('a document is read rarely in a hidden page: %j', async (headers) => {
  vi.stubGlobal('document', Object.assign(new EventTarget(), { hidden: true }))
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'performance', 'Date'] })
  onTestFinished(() => {
    vi.useRealTimers()
    vi.unstubAllGlobals()
  })
  const { url, requests } = await serveAnswers([json({ status: 'Running' }, headers)])
  const job = clientOf(microsoftLro(FAST), url).subscribe('1')
  job.onChange(() => {})
  const pass = async (ms: number): Promise<void> => {
    for (let at = 0; at < ms; at += 500) {
      await vi.advanceTimersByTimeAsync(500)
      for (let turn = 0; turn < 20; turn += 1) await new Promise((resolve) => setImmediate(resolve))
    }
  }
  while (job.state.status !== 'running') await pass(500)
  await pass(1000)
  const { length } = requests
  await pass(12_000)
  expect(requests).toHaveLength(length)
  await pass(6000)
  expect(requests.length).toBeGreaterThan(length)
  job.close()
})
