/** Replays answers of real servers: recorded ones, or ones written after their source code. Each file of `fixtures/` says which. */

import { describe, expect, test } from 'vitest'
import { azureDurable, celeryProgress, googleLro, laravelBatch, mcpTask, microsoftLro, plainSse, statusPoll } from '../../src/backends.ts'
import type { Backend } from '../../src/types.ts'
import { type Answer, brief, clientOf, eventsOf, serveAnswers } from './following.ts'
import { answerOf, type Exchange, recording } from './recording.ts'

const FAST = { pollMs: 2, maxPollMs: 5 }

async function replayed(backend: Backend, of: (name: string) => Exchange, names: string[], job = 'j1'): Promise<[string, unknown][]> {
  const { url } = await serveAnswers(names.map((name) => answerOf(of(name))))
  return brief(await eventsOf(backend, url, { job, unknownJobGraceMs: 0 }))
}

const result = { url: '/report.pdf' }
const full = (code: string) => ({ code, message: 'the disk is full' })
const operations = recording('operations')

describe('microsoftLro, answers written by hand', () => {
  test.each([
    ['Succeeded', ['succeeded', result]],
    ['Failed', ['failed', full('DiskFull')]],
    ['Canceled', ['cancelled', {}]]
  ])('reads a custom state, then ends with %s', async (word, end) => {
    const events = await replayed(
      microsoftLro(FAST),
      operations,
      ['ms-rest: start', 'ms-rest: Running', 'ms-rest: Validating', `ms-rest: ${word}`].map((each) => each)
    )
    expect(events).toEqual([['queued', {}], ['started', {}], ['progress', { ratio: 0.4 }], end])
  })
})

test('statusPoll, answers written by hand: 202 and Location, then the resource', async () => {
  const { url } = await serveAnswers(({ url }) =>
    url === '/loc/reports/1' ? answerOf(operations('location: the result')) : answerOf(operations(`location: ${asked++ < 2 ? 'running' : 'over, elsewhere'}`))
  )
  let asked = 0
  expect(brief(await eventsOf(statusPoll(FAST), url, { job: '/loc/jobs/1' }))).toEqual([
    ['started', {}],
    ['succeeded', result]
  ])
})

describe('googleLro, answers written by hand', () => {
  test.each([
    ['succeeded', ['succeeded', result]],
    ['failed', ['failed', { code: '8', message: 'the disk is full' }]],
    ['cancelled', ['cancelled', { reason: 'cancelled' }]]
  ])('runs without `done`, then has %s', async (name, end) => {
    expect(await replayed(googleLro(FAST), operations, ['google: running, without done', `google: ${name}`])).toEqual([
      ['started', {}],
      ['progress', { ratio: 0.4 }],
      end
    ])
  })

  test('takes a name with a path as the id, and for its cancel', async () => {
    const { url, requests } = await serveAnswers(({ method }) => answerOf(operations(method === 'POST' ? 'google: cancel' : 'google: running, without done')))
    await clientOf(googleLro(FAST), url).subscribe('operations/o1').cancel()
    expect(requests).toMatchObject([{ method: 'POST', url: '/jobs/operations/o1:cancel' }])
  })
})

describe('laravelBatch, answers written by hand', () => {
  const quarter: [string, unknown][] = [
    ['started', {}],
    ['progress', { current: 1, total: 4, ratio: 0.25 }]
  ]
  test.each([
    ['its first failure has cancelled it', 2, ['failed', { code: 'failed', message: '1 of 4 jobs failed' }]],
    ['cancelled by somebody', 2, ['cancelled', {}]],
    ['finished with a failure that was allowed', 4, ['succeeded', expect.objectContaining({ failedJobs: 1 })]],
    ['finished', 4, ['succeeded', expect.objectContaining({ failedJobs: 0 })]]
  ])('%s', async (name, current, end) => {
    const events = await replayed(laravelBatch(FAST), operations, ['laravel: running', `laravel: ${name}`])
    expect(events).toEqual([...quarter, ['progress', { current, total: 4, ratio: current / 4 }], end])
  })
})

describe('mcpTask, answers written by hand', () => {
  test.each([
    ['completed', ['succeeded', { content: [{ type: 'text', text: 'done' }] }]],
    ['completed, but the tool has failed', ['failed', full('tool')]],
    ['failed', ['failed', full('-32603')]],
    ['cancelled', ['cancelled', {}]]
  ])('%s', async (name, end) => {
    const events = await replayed(mcpTask(), operations, ['mcp: working', 'mcp: input_required', `mcp: ${name}`])
    expect(events).toEqual([['started', {}], ['progress', { message: 'step 2 of 5' }], ['waiting', { for: 'input', prompt: { q1: {} } }], end])
  })

  test('sends the request of the draft', async () => {
    const { url, requests } = await serveAnswers([answerOf(operations('mcp: completed'))])
    await eventsOf(mcpTask(), url, { job: 't1' })
    const { headers, body = '' } = operations('mcp: working').request
    expect(requests[0]?.headers).toMatchObject(headers)
    expect(JSON.parse(requests[0]?.body ?? '')).toEqual(JSON.parse(body))
  })

  test('rejects an unknown task', async () => {
    await expect(replayed(mcpTask(), operations, ['mcp: unknown'])).rejects.toMatchObject({ code: 'unknown-job' })
  })
})

describe('azureDurable, answers written by hand', () => {
  const azure = recording('azure-durable')
  test.each([
    ['Completed', ['succeeded', result]],
    ['Failed', ['failed', full('failed')]],
    ['Failed, where 500 was asked for', ['failed', full('failed')]],
    ['Terminated', ['cancelled', { reason: 'by hand' }]],
    ['Canceled', ['cancelled', {}]]
  ])('%s', async (name, end) => {
    const progress = (custom: unknown): unknown => ({ ratio: (custom as { percent: number }).percent / 100 }) // as: what is in it
    const events = await replayed(azureDurable({ ...FAST, progress }), azure, ['poll: Pending', 'poll: Running', 'poll: Suspended', `poll: ${name}`])
    expect(events).toEqual([['queued', {}], ['started', {}], ['progress', { ratio: 0.4 }], end])
  })

  test('rejects an unknown instance, and the cancel of an ended one', async () => {
    await expect(replayed(azureDurable(FAST), azure, ['unknown'])).rejects.toMatchObject({ code: 'unknown-job' })
    const { url } = await serveAnswers([answerOf(azure('terminate one that has ended'))])
    await expect(clientOf(azureDurable(), url).subscribe('i1').cancel()).rejects.toMatchObject({ code: 'history-gone' })
  })

  test('takes a 500 without a document as a failure of the path', async () => {
    const { url } = await serveAnswers([{ status: 500, body: 'oh' }, answerOf(azure('poll: Completed'))])
    expect(brief(await eventsOf(azureDurable(FAST), url))).toEqual([['succeeded', result]])
  })
})

describe('celeryProgress, recorded answers', () => {
  const celery = recording('celery-progress')
  const polls = (name: string, last: number): string[] => Array.from({ length: last }, (_, index) => `poll: ${name}, ${index + 1}`)
  const step = (current: number): [string, unknown] => ['progress', { current, total: 4, ratio: current / 4, message: `step ${current}` }]
  const queued: [string, unknown] = ['queued', {}]
  test.each([
    ['go', 5, [queued, step(1), step(2), step(3), ['succeeded', result]]],
    ['fail', 3, [queued, step(1), ['failed', full('failed')]]],
    ['retry', 7, [queued, step(1), ['retrying', { message: 'not yet...', inMs: 2000 }], step(1), step(2), step(3), ['succeeded', result]]],
    ['custom', 5, [queued, step(1), ['progress', { stage: 'UPLOADING' }], step(3), ['succeeded', result]]],
    ['revoked before it has begun', 2, [queued, ['cancelled', { reason: 'Task revoked' }]]]
  ])('%s', async (name, last, expected) => {
    expect(await replayed(celeryProgress(FAST), celery, polls(name, last))).toEqual(expected)
  })

  test('waits for an unknown id, which Celery answers like a queued one', async () => {
    const { url } = await serveAnswers([answerOf(celery('an id that never was'))])
    const job = clientOf(celeryProgress(FAST), url).subscribe('nope')
    expect((await job[Symbol.asyncIterator]().next()).value).toMatchObject({ type: 'queued' })
    job.close()
  })
})

describe('plainSse, recorded answers of Nchan', () => {
  const nchan = recording('nchan')
  const stream = (name: string): Answer => answerOf(nchan(name))
  test("a comment that ends a channel does not end the job, and the server's ids outlast its timeout", async () => {
    const first = stream('SSE: from the oldest, then a publication, then the time-out')
    const { url, requests } = await serveAnswers([
      { ...first, headers: { 'content-type': 'text/event-stream; charset=utf-8' } },
      { headers: { 'content-type': 'text/event-stream' }, body: ': hi\n\nid: 1796001824:0\ndata: {"seq":5}\n\n: done\n\nid: 1796001824:1\ndata: [DONE]\n\n' }
    ])
    const events = await eventsOf(plainSse({ cursor: { parameter: 'last_event_id' } }), url)
    expect(brief(events)).toEqual([...[1, 2, 3, 4, 5].map((seq) => ['output', { seq }]), ['succeeded', null]])
    expect(requests.map(({ url }) => url)).toEqual(['/jobs/j1', '/jobs/j1?last_event_id=1796001820%3A0'])
  })
})
