/** Status documents, and answers to a start, as servers write them that follow no specification to the letter. */

import { describe, expect, onTestFinished, test, vi } from 'vitest'
import {
  a2a,
  azureDurable,
  celeryProgress,
  fal,
  googleLro,
  jobtailSnapshot,
  langGraph,
  laravelBatch,
  mcpTask,
  microsoftLro,
  openaiResponses,
  plainSse,
  replicate,
  statusPoll
} from '../../src/backends.ts'
import { type Answer, brief, clientOf, eventsOf, serveAnswers } from './following.ts'

const FAST = { pollMs: 2, maxPollMs: 5 }
const json = (value: unknown, headers: object = {}): Answer => ({ headers: { 'content-type': 'application/json', ...headers }, body: JSON.stringify(value) })
const started: [string, unknown] = ['started', {}]
const progress = (ratio: number): [string, unknown] => ['progress', { ratio }]
const read = (said: unknown): [string, unknown][] => [[Object(said).state, {}]]

describe('microsoftLro', () => {
  test.each([
    ['succeeded', ['succeeded', 1]],
    ['FAILED', ['failed', { code: 'x', message: 'y' }]],
    ['canceled', ['cancelled', {}]],
    ['Cancelled', ['cancelled', {}]]
  ])('knows its words in every spelling: %s', async (status, end) => {
    const { url } = await serveAnswers([
      json({ status: 'notStarted' }),
      json({ status: 'running' }),
      json({ status, result: 1, error: { code: 'x', message: 'y' } })
    ])
    expect(brief(await eventsOf(microsoftLro(FAST), url))).toEqual([['queued', {}], started, end])
  })

  test('takes a percentage as text, and none beyond its limits', async () => {
    const percents = ['40', 150, -5, null, 'most']
    const { url } = await serveAnswers([...percents.map((percentComplete) => json({ status: 'Running', percentComplete })), json({ status: 'Succeeded' })])
    expect(brief(await eventsOf(microsoftLro(FAST), url))).toEqual([started, progress(0.4), progress(1), progress(0), ['succeeded', null]])
  })
})

test.each([
  ['an empty object, as `response()->json(null)` makes it', json({})],
  ['an empty answer', { headers: { 'content-type': 'text/html' }, body: '' }]
])('an unknown batch of Laravel: %s', async (_, answer) => {
  const { url } = await serveAnswers([answer])
  await expect(eventsOf(laravelBatch(FAST), url, { unknownJobGraceMs: 0 })).rejects.toMatchObject({ code: 'unknown-job' })
})

describe.each([null, [], 5, 'x', { message: 'log in' }])('a document that is none of this server, %j', (document) => {
  test.each([
    ['googleLro', googleLro(FAST), { name: 'operations/1', done: true, response: 1 }],
    ['celeryProgress', celeryProgress(FAST), { state: 'SUCCESS', result: 1 }],
    ['mcpTask', mcpTask(FAST), { result: { status: 'completed', result: 1 } }]
  ])('fails the path: %s', async (_, backend, end) => {
    const { url } = await serveAnswers([json(document), json(end)])
    expect(brief(await eventsOf(backend, url))).toEqual([['succeeded', 1]])
  })
})

describe('the answer', () => {
  test('an empty 200 is no result, at first and later; a 204, or a length of 0, is one', async () => {
    const { url } = await serveAnswers([{ status: 200 }, { status: 202 }, { status: 200 }, { status: 204 }])
    expect(brief(await eventsOf(statusPoll(FAST), url))).toEqual([started, ['succeeded', null]])
    const meant = await serveAnswers([{ status: 200, headers: { 'content-length': 0 } }])
    expect(brief(await eventsOf(statusPoll(FAST), meant.url))).toEqual([['succeeded', null]])
  })

  test('a 304 that nobody asked for is no result', async () => {
    const { url } = await serveAnswers([{ status: 304 }, json({ rows: 3 })])
    expect(brief(await eventsOf(statusPoll(FAST), url))).toEqual([['succeeded', { rows: 3 }]])
  })

  test('a 410 in the middle is the end of the job’s history, a 404 is not', async () => {
    const { url } = await serveAnswers([json({ state: 'started' }), { status: 404 }, json({ state: 'started' }), { status: 410 }])
    await expect(eventsOf(statusPoll({ ...FAST, read }), url)).rejects.toMatchObject({ code: 'history-gone' })
  })

  test.each(['0', '-1', 'soon', '1, 2', 'Mon, 01 Jan 2001 00:00:00 GMT'])('Retry-After: %s is no pause', async (after) => {
    const { url } = await serveAnswers([json({ state: 'started' }, { 'retry-after': after }), json({ state: 'succeeded' })])
    expect(brief(await eventsOf(statusPoll({ ...FAST, read }), url))).toHaveLength(2)
  })

  test.each([0, -5, 'soon'])('pollIntervalMs: %j is no pause', async (pollIntervalMs) => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'performance', 'Date'] })
    onTestFinished(() => void vi.useRealTimers())
    const { url, requests } = await serveAnswers([json({ result: { status: 'working', pollIntervalMs } })])
    const job = clientOf(mcpTask(), url).subscribe('1')
    job.onChange(() => {})
    onTestFinished(job.close)
    const pass = async (ms: number): Promise<void> => {
      for (let at = 0; at < ms; at += 100) {
        await vi.advanceTimersByTimeAsync(100)
        for (let turn = 0; turn < 20; turn += 1) await new Promise((resolve) => setImmediate(resolve))
      }
    }
    while (job.state.status !== 'running') await pass(100)
    const { length } = requests
    await pass(500)
    expect(requests).toHaveLength(length)
    await pass(1500)
    expect(requests.length).toBeGreaterThan(length)
  })

  test('from another origin is not asked for by If-None-Match, which costs a preflight', async () => {
    vi.stubGlobal('location', { origin: 'https://page.test' })
    onTestFinished(() => void vi.unstubAllGlobals())
    const { url, requests } = await serveAnswers([json({ state: 'started' }, { etag: '"1"' }), json({ state: 'succeeded' })])
    await eventsOf(statusPoll({ ...FAST, read }), url)
    expect(requests.map(({ headers }) => headers['if-none-match'])).toEqual([undefined, undefined])
  })
})

test.each(['request', 'read'])('a `%s` that never settles is a read without an answer', async (hanging) => {
  let calls = 0
  const hang = <T>(name: string, value: T): T | Promise<T> => (name === hanging && ++calls === 2 ? new Promise<T>(() => {}) : value)
  const { url } = await serveAnswers([json({ state: 'started' }), json({ state: 'succeeded' })])
  const backend = statusPoll({
    ...FAST,
    timeoutMs: 50,
    request: (job, { base }) => hang('request', `${base}/${job}`),
    read: (said) => hang('read', read(said))
  })
  expect((await eventsOf(backend, url)).map(({ type }) => type)).toEqual(['started', 'succeeded'])
})

describe('a start', () => {
  const end = json({ status: 'Succeeded', result: 1 })
  test.each<[what: string, answer: Answer, asked: string]>([
    ['a number as its id', json({ id: 42 }), '/jobs/42'],
    ['0 as its id', json({ id: 0 }), '/jobs/0'],
    ['a relative Location', { status: 202, headers: { location: 'status/9?x=1' } }, '/status/9?x=1'],
    ['a Location that is a query', { status: 202, headers: { location: '?id=9' } }, '/jobs?id=9']
  ])('answered with %s', async (_, answer, asked) => {
    const { url, requests } = await serveAnswers([answer, end])
    const job = await clientOf(microsoftLro(FAST), url).start({})
    await expect(job.result).resolves.toBe(1)
    expect(requests.at(-1)?.url).toBe(asked)
  })

  test('redirected to the status document, but not to a login page', async () => {
    let to = '/status/9'
    const { url } = await serveAnswers(({ method, url }) =>
      method === 'POST' ? { status: 303, headers: { location: to } } : url === '/login' ? { headers: { 'content-type': 'text/html' }, body: '<html>' } : end
    )
    const client = clientOf(microsoftLro(FAST), url)
    await expect((await client.start({})).result).resolves.toBe(1)
    to = '/login'
    await expect(client.start({})).rejects.toThrow('names no job')
  })

  test('sends a form with a file, or the file itself', async () => {
    const form = new FormData()
    form.set('file', new Blob(['hello']), 'a.txt')
    const { url, requests } = await serveAnswers([json({ id: 'a' })])
    const client = clientOf(statusPoll({ start: (input) => ({ body: input }) }), url)
    await client.start(form)
    await client.start(new Blob(['hello'], { type: 'text/csv' }))
    expect(requests).toMatchObject([
      { headers: { 'content-type': expect.stringContaining('multipart/form-data; boundary=') }, body: expect.stringContaining('hello') },
      { headers: { 'content-type': 'text/csv' }, body: 'hello' }
    ])
  })
})

test.each([
  ['azureDurable', azureDurable(), '/instances/i1/terminate?code=K'],
  ['replicate', replicate(), '/instances/i1/cancel?code=K'],
  ['openaiResponses', openaiResponses(), '/instances/i1/cancel?code=K'],
  ['jobtailSnapshot', jobtailSnapshot(), '/instances/i1/cancel?code=K']
])('the cancel of a job whose id is its URL: %s', async (_, backend, asked) => {
  const { url, requests } = await serveAnswers([{ status: 202 }])
  await clientOf(backend, url).subscribe('/instances/i1?code=K').cancel()
  expect(requests).toMatchObject([{ method: 'POST', url: asked }])
})

test.each([
  ['a2a', a2a({ binding: 'json-rpc' }), { code: -32002, message: 'the task cannot be canceled' }],
  ['mcpTask', mcpTask(), { code: -32602, message: 'unknown task' }]
])('a cancel that JSON-RPC refuses with status 200 is an error: %s', async (_, backend, error) => {
  const { url } = await serveAnswers([json({ jsonrpc: '2.0', id: 1, error })])
  await expect(clientOf(backend, url).subscribe('t1').cancel()).rejects.toMatchObject({ code: 'bad-request', message: expect.stringContaining(error.message) })
})

test.each([
  ['celeryProgress', celeryProgress(), 'j1', '/jobs/j1/?key=K'],
  ['fal', fal(), 'j1', '/jobs/j1/status?key=K&logs=1'],
  ['googleLro', googleLro(), 'operations/o1', '/jobs/operations/o1?key=K'],
  ['a2a', a2a(), 't1', '/jobs/tasks/t1?key=K&historyLength=0'],
  ['langGraph', langGraph(), 't/r', '/jobs/threads/t/runs/r?key=K'],
  ['plainSse', plainSse(), 'j1', '/jobs/j1?key=K']
])('the query of the client’s `url` stays: %s', async (_, backend, job, asked) => {
  const { url, requests } = await serveAnswers([{ status: 404 }])
  await expect(eventsOf(backend, `${url}?key=K`, { job, unknownJobGraceMs: 0 })).rejects.toMatchObject({ code: 'unknown-job' })
  expect(requests[0]?.url).toBe(asked)
})
