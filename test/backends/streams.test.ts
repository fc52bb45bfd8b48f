/** Irregular event streams of other servers. */

import { describe, expect, test } from 'vitest'
import { ndjson, plainSse } from '../../src/backends.ts'
import { brief, clientOf, eventsOf, serveAnswers } from './following.ts'

const SSE = { 'content-type': 'text/event-stream; charset=utf-8' }
const LINES = { 'content-type': 'application/x-ndjson' }
const sse = (body: string | readonly string[], more: object = {}) => ({ headers: SSE, body, ...more })
const output = (n: number): [string, unknown] => ['output', { n }]
const data = (n: number): string => `data: {"n":${n}}\n\n`
const END = 'data: [DONE]\n\n'
const DONE: [string, unknown] = ['succeeded', null]

describe('the end', () => {
  test('the marker need not be JSON, and nothing after it counts', async () => {
    const { url } = await serveAnswers([sse(`id: 1\n${data(1)}${END}${data(2)}`)])
    expect(brief(await eventsOf(plainSse(), url))).toEqual([output(1), DONE])
  })

  test('may be one of several event names, with the result as its data', async () => {
    const { url } = await serveAnswers([sse('event: complete\ndata: {"rows":3}\n\n')])
    expect(brief(await eventsOf(plainSse({ end: [{ event: 'done' }, { event: 'complete' }] }), url))).toEqual([['succeeded', { rows: 3 }]])
  })

  test('may be decided by a function', async () => {
    const end = ({ data }: { data: unknown }): ['cancelled', unknown] | undefined => (Object(data).finish === 'abort' ? ['cancelled', {}] : undefined)
    const { url } = await serveAnswers([sse('data: {"finish":"abort"}\n\n')])
    expect(brief(await eventsOf(plainSse({ end }), url))).toEqual([['cancelled', {}]])
  })

  test.each([
    ['an error event', 'event: error\ndata: {"code":"full","message":"the disk is full"}\n\n', { code: 'full', message: 'the disk is full' }],
    ['an error within a normal event', 'data: {"error":{"message":"the disk is full"}}\n\n', { code: 'failed', message: 'the disk is full' }],
    ['an error event with text', 'event: error\ndata: the disk is full\n\n', { code: 'failed', message: 'the disk is full' }]
  ])('%s is a failure', async (_, body, failure) => {
    const { url } = await serveAnswers([sse(body)])
    expect(brief(await eventsOf(plainSse(), url))).toEqual([['failed', failure]])
  })

  test('a 204 ends the job', async () => {
    const { url } = await serveAnswers([{ status: 204 }])
    expect(brief(await eventsOf(plainSse(), url))).toEqual([DONE])
  })

  test('an empty 200 says nothing, and the request is repeated', async () => {
    const { url, requests } = await serveAnswers([sse(''), sse(''), sse(`id: 1\n${data(1)}${END}`)])
    expect(brief(await eventsOf(plainSse(), url))).toEqual([output(1), DONE])
    expect(requests).toHaveLength(3)
  })

  test('a page with 200 is no stream', async () => {
    const { url } = await serveAnswers([{ headers: { 'content-type': 'text/html' }, body: END }, sse(`id: 1\n${data(1)}${END}`)])
    expect(brief(await eventsOf(plainSse(), url))).toEqual([output(1), DONE])
  })

  test('without a marker, only the status document, read after each answer, tells the end', async () => {
    let looks = 0
    const { url, requests } = await serveAnswers(({ url, headers }) => {
      if (url.startsWith('/status'))
        return { headers: { 'content-type': 'application/json' }, body: JSON.stringify({ state: ++looks < 2 ? 'running' : 'failed' }) }
      return sse(headers['last-event-id'] === '1' ? `id: 2\n${data(2)}` : `id: 1\n${data(1)}`)
    })
    const backend = plainSse({
      end: [],
      status: {
        request: (job) => `/status/${job}`,
        read: (said) => (Object(said).state === 'failed' ? [['failed', { code: 'x', message: 'y' }]] : [['started']])
      }
    })
    expect(brief(await eventsOf(backend, url))).toEqual([output(1), output(2), ['failed', { code: 'x', message: 'y' }]])
    expect(requests.map(({ url }) => url)).toEqual(['/jobs/j1', '/status/j1', '/jobs/j1', '/status/j1'])
  })
})

describe('parsing', () => {
  test('accepts an id after the data, no blank, an event in pieces, and one without data', async () => {
    const body = ['event: upd', 'ates\nda', 'ta:{"n":1}\nid: 7\n', '\nevent: ping\n\n: comment\n\n', 'data: {"n":', '2}\nid: 8\n\n', END]
    const { url } = await serveAnswers([sse(body)])
    const events = await eventsOf(plainSse(), url)
    expect(brief(events)).toEqual([['updates', { n: 1 }], output(2), DONE])
    expect(events.map(({ id }) => id)).toEqual(['1.0~dvxgc6.7', '2.0~dvxgc6.8', '3.1~dvxgc6!succeeded.8'])
  })

  test('shortens a type with other characters, and puts the rest into `namespace`', async () => {
    const { url } = await serveAnswers([sse(`event: updates|sub:1\ndata: {"n":1}\n\nevent: Größe\ndata: 2\n\n${END}`)])
    expect(brief(await eventsOf(plainSse({ promises: 'replay' }), url))).toEqual([
      ['updates', { n: 1, namespace: '|sub:1' }],
      ['Gr', { data: 2, namespace: 'öße' }],
      DONE
    ])
  })

  test('does not end at an event that is named like an end or a gap', async () => {
    const { url } = await serveAnswers([sse(`event: failed\ndata: {"n":1}\n\nevent: gap\ndata: {}\n\ndata: {"type":"succeeded"}\n\n${END}`)])
    expect(brief(await eventsOf(plainSse({ promises: 'replay' }), url))).toEqual([
      ['foreign.failed', { n: 1 }],
      ['foreign.gap', {}],
      ['foreign.succeeded', { type: 'succeeded' }],
      DONE
    ])
  })

  test('computes the ratio of progress, and accepts text as data', async () => {
    const { url } = await serveAnswers([sse(`event: progress\ndata: {"current":1,"total":4}\n\ndata: hello\n\n${END}`)])
    expect(brief(await eventsOf(plainSse({ promises: 'replay' }), url))).toEqual([
      ['progress', { current: 1, total: 4, ratio: 0.25 }],
      ['output', 'hello'],
      DONE
    ])
  })

  test('accepts lines and characters cut anywhere, and an empty line as a sign of life', async () => {
    const text = Buffer.from('{"id":1,"text":"für"}\n\n{"id":2,"type":"log","message":"ß"}\n{"over":true}')
    const { url } = await serveAnswers([{ headers: LINES, body: [...text].map((byte) => Uint8Array.of(byte)) }])
    const end = ({ data }: { data: unknown }): ['succeeded', null] | undefined => (Object(data).over ? ['succeeded', null] : undefined)
    const events = await eventsOf(ndjson({ end }), url)
    expect(brief(events)).toEqual([['output', { id: 1, text: 'für' }], ['log', { id: 2, type: 'log', message: 'ß' }], DONE])
  })

  test('drops half a value in the last line, even if it is JSON', async () => {
    const { url } = await serveAnswers([
      { headers: LINES, body: '1\n12', isCut: false },
      { headers: LINES, body: '1\n123\n"end"\n' }
    ])
    expect(brief(await eventsOf(ndjson({ promises: 'replay', end: '"end"' }), url))).toEqual([['output', 1], ['output', 123], DONE])
  })
})

test('half a value is dropped too if the status document tells the end', async () => {
  const { url } = await serveAnswers(({ url }) =>
    url === '/status' ? { headers: { 'content-type': 'application/json' }, body: '{"result":3}' } : { headers: LINES, body: '1\n12' }
  )
  const status = { request: () => '/status', read: (said: unknown): [string, unknown][] => [['succeeded', said]] }
  const events = await eventsOf(ndjson({ promises: 'replay', end: [], status }), url)
  expect(events.map(({ seq, type, data }) => [seq, type, data])).toEqual([
    [1, 'output', 1],
    [2, 'succeeded', { result: 3 }]
  ])
})

describe('the cursor', () => {
  test('counts events with the same id behind it, and drops those that the server repeats', async () => {
    const { url } = await serveAnswers([sse(`id: a\n${data(1)}${data(2)}`), sse(`${data(2)}${data(3)}id: b\n${data(4)}${END}`)])
    const events = await eventsOf(plainSse(), url)
    expect(brief(events)).toEqual([output(1), output(2), output(3), output(4), DONE])
    expect(events.map(({ id }) => id)).toEqual(['1.0~1r9wi7g.a', '2.1~1r9wi7g.a', '3.2~1r9wi7g.a', '4.0~1r9wi7g.b', '5.1~1r9wi7g!succeeded.b'])
  })

  test('may have any characters, and is sent as an EventSource does', async () => {
    const { url, requests } = await serveAnswers([sse(`id: ü/1\n${data(1)}`), sse(END)])
    await eventsOf(plainSse(), url)
    expect(Buffer.from(String(requests[1]?.headers['last-event-id']), 'latin1').toString()).toBe('ü/1')
  })

  test('is given to the request hook, so that another request can resume a POST', async () => {
    const { url, requests } = await serveAnswers([sse(`id: r1:4\n${data(1)}`), sse(END)])
    const backend = plainSse({
      request: (job, { cursor }) =>
        cursor ? `/resume/${job}?startIndex=${cursor.split(':')[1]}` : { url: '/chat', body: { job }, headers: { 'x-xsrf-token': 't' } }
    })
    await eventsOf(backend, url)
    expect(requests.map(({ method, url, body }) => [method, url, body])).toEqual([
      ['POST', '/chat', '{"job":"j1"}'],
      ['GET', '/resume/j1?startIndex=4', '']
    ])
    expect(requests[0]?.headers).toMatchObject({ 'content-type': 'application/json', 'x-xsrf-token': 't' })
  })

  test('of a log that turns out to have no ids: possible losses are reported as a gap', async () => {
    const { url } = await serveAnswers([sse(data(1)), sse(`${data(2)}${END}`)])
    expect(brief(await eventsOf(plainSse(), url))).toEqual([output(1), ['gap', { missed: undefined, reason: 'epoch' }], output(2), DONE])
  })

  test('of another backend, or an invalid id, is refused with the reason', async () => {
    const { url } = await serveAnswers([sse(END)])
    expect(() => clientOf(plainSse(), url).subscribe('j1', { after: 'x' })).toThrow('after: expected the id of an event of this backend, got "x"')
    expect(() => clientOf(plainSse(), url).subscribe('..')).toThrow('job id: expected a string other than "", ".", ".."')
  })
})

test('an unknown job is requested again for its grace period, then it is unknown', async () => {
  const { url, requests } = await serveAnswers([{ status: 404, headers: { 'content-type': 'text/html' }, body: 'no' }])
  await expect(eventsOf(plainSse(), url, { unknownJobGraceMs: 400 })).rejects.toMatchObject({ code: 'unknown-job' })
  expect(requests.length).toBeGreaterThan(1)
})

test('a 404 of a job that was read before is a failure of the path, and temporary', async () => {
  const { url } = await serveAnswers([sse(`id: 1\n${data(1)}`), { status: 404, body: 'no' }, sse(END)])
  expect(brief(await eventsOf(plainSse(), url))).toEqual([output(1), DONE])
})

test('a URL as the id is requested as it is, and only from the own origin', async () => {
  const { url, requests } = await serveAnswers([sse(END)])
  await eventsOf(plainSse(), url, { job: '/runs/7?of=2' })
  expect(requests[0]?.url).toBe('/runs/7?of=2')
  await expect(eventsOf(plainSse(), url, { token: 'secret', job: 'https://example.com/x' })).rejects.toMatchObject({
    code: 'bad-request',
    message: expect.stringContaining(`expected an address of ${new URL(url).origin}, got one of https://example.com`)
  })
  expect(requests).toHaveLength(1)
})
