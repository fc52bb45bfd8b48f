/** Irregular status documents, and how they are requested. */

import { describe, expect, expectTypeOf, test, vi } from 'vitest'
import { jobtailSnapshot, laravelBatch, mcpTask, microsoftLro, statusPoll } from '../../src/backends.ts'
import { brief, clientOf, eventsOf, serveAnswers } from './following.ts'

const json = (value: unknown, more: object = {}) => ({ headers: { 'content-type': 'application/json', ...more }, body: JSON.stringify(value) })
const FAST = { pollMs: 2, maxPollMs: 5 }
const read = (said: unknown): [string, unknown][] => {
  const { state, ...rest } = Object(said)
  return [[state, rest]]
}

describe('the requests', () => {
  test('follow 202 and Location, then a redirect to the result', async () => {
    let asked = 0
    const { url, requests } = await serveAnswers(({ method, url }) => {
      if (method === 'POST') return { status: 202, headers: { location: '/jobs/9' } }
      if (url === '/results/9') return json({ rows: 3 })
      asked += 1
      return asked < 3 ? { status: 202 } : { status: 303, headers: { location: '/results/9' } }
    })
    const client = clientOf(statusPoll({ ...FAST, start: (input) => ({ body: input }) }), url)
    const job = await client.start({ of: 2026 })
    expect(job.jobId).toBe('/jobs/9')
    await expect(job.result).resolves.toEqual({ rows: 3 })
    expect(requests[0]).toMatchObject({ method: 'POST', url: '/jobs', body: '{"of":2026}' })
  })

  test('may be a form with a token from a cookie, read anew each time', async () => {
    let token = 0
    const { url, requests } = await serveAnswers([json({ state: 'started' }), json({ state: 'succeeded' })])
    const backend = statusPoll({
      ...FAST,
      read,
      request: (job) => ({ url: '/rpc', body: new URLSearchParams({ job }), headers: { 'x-xsrf-token': `${++token}` } })
    })
    expect(brief(await eventsOf(backend, url)).map(([type]) => type)).toEqual(['started', 'succeeded'])
    expect(requests.map(({ method, body, headers }) => [method, body, headers['content-type'], headers['x-xsrf-token']])).toEqual([
      ['POST', 'job=j1', 'application/x-www-form-urlencoded;charset=UTF-8', '1'],
      ['POST', 'job=j1', 'application/x-www-form-urlencoded;charset=UTF-8', '2']
    ])
  })

  test('send the last ETag, and a 304 is no change', async () => {
    const { url, requests } = await serveAnswers([
      json({ state: 'progress', ratio: 0.5 }, { etag: 'W/"1"' }),
      { status: 304 },
      { status: 304 },
      json({ state: 'succeeded' })
    ])
    expect(brief(await eventsOf(statusPoll({ ...FAST, read }), url))).toEqual([
      ['progress', { ratio: 0.5 }],
      ['succeeded', {}]
    ])
    expect(requests.map(({ headers }) => headers['if-none-match'])).toEqual([undefined, 'W/"1"', 'W/"1"', 'W/"1"'])
  })

  test.each([
    ['seconds', () => '7'],
    ['a date', () => new Date(Date.now() + 7000).toUTCString()]
  ])('pause for the %s of Retry-After', async (_, after) => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'performance', 'Date'] })
    try {
      const { url, requests } = await serveAnswers([json({ state: 'started' }, { 'retry-after': after() }), json({ state: 'succeeded' })])
      const events = eventsOf(statusPoll({ ...FAST, read }), url)
      await vi.waitFor(() => expect(requests).toHaveLength(1))
      for (let ms = 0; ms < 5500; ms += 100) {
        await vi.advanceTimersByTimeAsync(100)
        await new Promise((resolve) => setImmediate(resolve))
      }
      expect(requests).toHaveLength(1)
      await vi.advanceTimersByTimeAsync(2500)
      await events
      expect(requests).toHaveLength(2)
    } finally {
      vi.useRealTimers()
    }
  })

  test('never overlap, and one without an answer times out', async () => {
    const { url } = await serveAnswers([json({ state: 'succeeded' })])
    let isFirst = true
    const fetch: typeof globalThis.fetch = (input, init) => {
      if (!isFirst) return globalThis.fetch(input, init)
      isFirst = false
      return new Promise((_, reject) => init?.signal?.addEventListener('abort', () => reject(init.signal?.reason)))
    }
    const diagnostics: unknown[] = []
    await eventsOf(statusPoll({ ...FAST, read, timeoutMs: 20 }), url, { fetch, onDiagnostic: (each) => diagnostics.push(each) })
    expect(diagnostics).toContainEqual(expect.objectContaining({ type: 'probe-failed', reason: 'silent' }))
  })
})

describe('the events', () => {
  test('ignore the order of fields, and report a state that comes back', async () => {
    const documents = [
      { state: 'progress', a: 1, b: 2 },
      { b: 2, a: 1, state: 'progress' },
      { state: 'retrying' },
      { state: 'progress', a: 1, b: 2 },
      { state: 'succeeded' }
    ]
    const { url } = await serveAnswers(documents.map((each) => json(each)))
    expect((await eventsOf(statusPoll({ ...FAST, read }), url)).map(({ type }) => type)).toEqual(['progress', 'retrying', 'progress', 'succeeded'])
  })

  test("after an event's id are only the changes since, even in another page", async () => {
    const { url } = await serveAnswers([json({ state: 'progress', n: 1 }), json({ state: 'progress', n: 2 }), json({ state: 'succeeded' })])
    const [, second] = await eventsOf(statusPoll({ ...FAST, read }), url)
    const later = await serveAnswers([json({ state: 'progress', n: 2 }), json({ state: 'succeeded' })])
    expect(brief(await eventsOf(statusPoll({ ...FAST, read }), later.url, { after: second?.id ?? '' }))).toEqual([['succeeded', {}]])
  })

  test('after the last one of an ended job are none', async () => {
    const { url } = await serveAnswers([json({ state: 'succeeded', n: 1 })])
    const backend = statusPoll({ ...FAST, read })
    const [end] = await eventsOf(backend, url)
    const job = clientOf(backend, url).subscribe('j1', { after: end?.id ?? '' })
    for await (const event of job) expect(event).toBeUndefined()
    await expect(job.result).resolves.toEqual({ n: 1 })
  })

  test('also give state and result without a loop, with a ratio of the progress', async () => {
    const { url } = await serveAnswers([json({ state: 'progress', current: 1, total: 4 })])
    const job = clientOf(statusPoll({ pollMs: 5, read }), url).subscribe('j1')
    job.onChange(() => {})
    await vi.waitFor(() => expect(job.state).toMatchObject({ status: 'running', progress: { ratio: 0.25 } }))
    job.close()
  })

  test('tell once that nothing was new for so long, and again after a change', async () => {
    let reads = 0
    const { url } = await serveAnswers(() => {
      reads += 1
      return {
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify({ status: reads > 40 ? 'Succeeded' : 'Running', percentComplete: reads > 20 ? 60 : 30 })
      }
    })
    const events = await eventsOf(microsoftLro({ pollMs: 10, maxPollMs: 10, staleAfterMs: 60 }), url)
    expect(brief(events).map(([type, data]) => (type === 'progress' ? data : type))).toEqual([
      'started',
      { ratio: 0.3 },
      'stale',
      { ratio: 0.6 },
      'stale',
      'succeeded'
    ])
    const stale = events.filter(({ type }) => String(type) === 'stale')
    expect(stale.map(({ data }) => data)).toEqual([{ forMs: 60 }, { forMs: 60 }])
    expect(new Set(events.map(({ id }) => id)).size).toBe(events.length)
    // A reader that comes back after it gets what has changed since.
    const after = stale[0]?.id ?? ''
    expect(brief(await eventsOf(microsoftLro(), url, { after }))).toEqual([['succeeded', null]])
  })

  test('of a wait for a person leave the job running', async () => {
    const { url } = await serveAnswers([
      json({ result: { status: 'input_required', inputRequests: { q1: {} }, pollIntervalMs: 1 } }),
      json({ result: { status: 'completed', result: 1 } })
    ])
    const job = clientOf(mcpTask(), url).subscribe('t1')
    const seen = []
    for await (const { type, data } of job) seen.push([type, data, job.state.status])
    expect(seen).toEqual([
      ['waiting', { for: 'input', prompt: { q1: {} } }, 'running'],
      ['succeeded', 1, 'succeeded']
    ])
  })

  test('come from no foreign document, such as a login page: it fails the path', async () => {
    const { url } = await serveAnswers([
      json({ login: '/in' }),
      { headers: { 'content-type': 'text/html' }, body: '<html>' },
      json({ status: 'Succeeded', result: 1 })
    ])
    const reasons: unknown[] = []
    await eventsOf(microsoftLro(FAST), url, { onDiagnostic: (each) => 'reason' in each && each.type === 'probe-failed' && reasons.push(each.reason) })
    expect(reasons).toEqual(['protocol', 'content-type'])
  })

  test.each([
    ['null, from Laravel', laravelBatch(FAST), null],
    ['an error in JSON-RPC', mcpTask(FAST), { error: { code: -32602, message: 'Task not found' } }]
  ])('an unknown job that is answered with 200 is unknown: %s', async (_, backend, document) => {
    const { url } = await serveAnswers([json(document)])
    await expect(eventsOf(backend, url, { unknownJobGraceMs: 0 })).rejects.toMatchObject({ code: 'unknown-job' })
  })

  test('the result is the resource if a Succeeded operation has none', async () => {
    const { url } = await serveAnswers(({ url }) => json(url === '/reports/7' ? { rows: 3 } : { status: 'Succeeded' }))
    expect(brief(await eventsOf(microsoftLro({ ...FAST, resource: () => '/reports/7' }), url))).toEqual([['succeeded', { rows: 3 }]])
  })
})

describe('start and cancel', () => {
  test('a cancel may be a DELETE, and `read` is given a document of your type', async () => {
    const { url, requests } = await serveAnswers([{ status: 204 }])
    const backend = statusPoll<{ done: boolean }>({
      cancel: (job, { base }) => ({ url: `${base}/${job}`, method: 'DELETE' }),
      read(document) {
        expectTypeOf(document).toEqualTypeOf<{ done: boolean }>()
        return document.done ? [['succeeded']] : [['started']]
      }
    })
    await clientOf(backend, url).subscribe('j1').cancel()
    expect(requests).toMatchObject([{ method: 'DELETE', url: '/jobs/j1', body: '' }])
  })

  test("the id is the operation's location, and cancel is unsupported without a URL for it", async () => {
    const { url } = await serveAnswers(({ method }) =>
      method === 'POST' ? { status: 202, headers: { 'operation-location': `${url}/o1` } } : json({ status: 'Succeeded', result: 1 })
    )
    const client = clientOf(microsoftLro(FAST), url)
    const job = await client.start({ a: 1 }, { idempotencyKey: 'k' })
    expect(job.jobId).toBe(`${url}/o1`)
    await expect(job.result).resolves.toBe(1)
    await expect(job.cancel()).rejects.toMatchObject({ code: 'unsupported' })
  })

  test('a start whose answer names no job is an error', async () => {
    const { url } = await serveAnswers([json({ ok: true })])
    await expect(clientOf(jobtailSnapshot(), url, { retry: { attempts: 1 } }).start({})).rejects.toThrow('the answer to a start names no job')
  })
})
