/** Streams as servers write them that follow no specification to the letter. */

import { describe, expect, onTestFinished, test, vi } from 'vitest'
import { nchan, ndjson, plainSse } from '../../src/backends.ts'
import type { Backend } from '../../src/types.ts'
import { type Answer, brief, clientOf, eventsOf, serveAnswers } from './following.ts'
import { only } from './transports.ts'

const SSE = { 'content-type': 'text/event-stream' }
const sse = (body: Answer['body'] = '', more: object = {}): Answer => ({ headers: SSE, body, ...more })
const lines = (body: string, type = 'application/x-ndjson'): Answer => ({ headers: { 'content-type': type }, body })
const channel = (body: string): Answer => ({ headers: { 'last-modified': 'Mon, 30 Nov 2026 00:00:00 GMT', etag: '0' }, body })
const output = (data: unknown): [string, unknown] => ['output', data]
const END = 'data: [DONE]\n\n'
const DONE: [string, unknown] = ['succeeded', null]
const GAP: [string, unknown] = ['gap', { missed: undefined, reason: 'epoch' }]

describe('the end', () => {
  test.each([
    ['after messages without an id, of a log', plainSse(), 'id: 1\ndata: 1\n\ndata: {"type":"beat"}\n\n', [output(1), ['beat', { type: 'beat' }]]],
    ['of a replay that has nothing else any more', plainSse({ promises: 'replay' }), 'data: 1\n\ndata: 2\n\n', [output(1), output(2)]]
  ])('counts although as many messages came before: %s', async (_, backend, first, events) => {
    const { url } = await serveAnswers([sse(first, { isCut: true }), sse(END)])
    expect(brief(await eventsOf(backend, url))).toEqual([...events, DONE])
  })

  test('so does a failure', async () => {
    const { url } = await serveAnswers([sse('data: 1\n\ndata: 2\n\n', { isCut: true }), sse('event: error\ndata: {"message":"expired"}\n\n')])
    const events = await eventsOf(plainSse({ promises: 'replay' }), url)
    expect(brief(events).at(-1)).toEqual(['failed', { code: 'failed', message: 'expired' }])
  })

  // A page that stored the id of the end itself. Servers send an answer without text, keep the stream open, or say that it is over.
  test.each<[what: string, backend: Backend, first: Answer, then: Answer, end: [string, unknown]]>([
    ['an empty answer', plainSse(), sse(`id: 1\ndata: 1\n\n${END}`), sse(), DONE],
    ['an empty answer, after a failure', plainSse(), sse('id: 1\nevent: error\ndata: "full"\n\n'), sse(), ['failed', null]],
    ['a 204, after a failure', plainSse(), sse('id: 1\nevent: error\ndata: "full"\n\n'), { status: 204 }, ['failed', null]],
    ['an empty answer, without ids', plainSse({ promises: 'replay' }), sse(`data: 1\n\n${END}`), sse(), DONE],
    ['an empty answer, without anything', plainSse({ promises: 'lossy' }), sse(`data: 1\n\n${END}`), sse(), DONE],
    ['an empty answer in lines', ndjson(), lines('{"id":1}\n[DONE]\n'), lines(''), DONE],
    ['an open stream with comments', plainSse(), sse(`id: 1\ndata: 1\n\n${END}`), sse(': hi\n\n', { staysOpen: true }), DONE],
    ['a poll without a message', only(nchan(), 'long-poll'), channel('[DONE]'), { status: 408 }, DONE],
    ['the end again', plainSse({ end: { event: 'done' } }), sse('id: 1\nevent: done\ndata: 7\n\n'), sse('id: 1\nevent: done\ndata: 7\n\n'), ['succeeded', 7]]
  ])('is known where `after` is its id: %s', async (_, backend, first, then, end) => {
    const { url, requests } = await serveAnswers([first, then])
    const last = (await eventsOf(backend, url)).at(-1)
    expect(brief((await eventsOf(backend, url, { after: `${last?.id}` })).filter(({ type }) => type !== 'gap'))).toEqual([end])
    expect(requests).toHaveLength(2)
  })

  test('is not known where `after` is the id before it: an empty answer is requested again after growing pauses', async () => {
    const { url, requests } = await serveAnswers([sse()])
    const pauses: number[] = []
    vi.spyOn(Math, 'random').mockReturnValue(0.999)
    onTestFinished(() => void vi.restoreAllMocks())
    const job = clientOf(plainSse(), url, { retry: { baseMs: 5, maxMs: 80 }, onDiagnostic: (each) => each.type === 'waiting' && pauses.push(each.ms) })
    void job
      .subscribe('j1', { after: '1.0.1' })
      [Symbol.asyncIterator]()
      .next()
      .catch(() => {})
    await vi.waitFor(() => expect(pauses.length).toBeGreaterThan(6))
    expect(pauses).toEqual([...pauses].sort((a, b) => a - b))
    expect(requests.length).toBeLessThanOrEqual(2 * pauses.length + 2)
  })

  test('may have blanks around it, and none before it', async () => {
    const { url } = await serveAnswers([sse('data:[DONE] \n\n')])
    expect(brief(await eventsOf(plainSse(), url))).toEqual([DONE])
  })

  test.each([
    ['text', { error: 'the disk is full' }],
    ['a flag, with the message beside it', { error: true, message: 'the disk is full' }]
  ])('an error may be %s', async (_, data) => {
    const { url } = await serveAnswers([sse(`data: ${JSON.stringify(data)}\n\n`)])
    expect(brief(await eventsOf(plainSse(), url))).toEqual([['failed', { code: 'failed', message: 'the disk is full' }]])
  })
})

test.each([
  ['lines that end with CR LF', 'id: 1\r\ndata: 1\r\n\r\ndata: [DONE]\r\n\r\n'],
  ['lines that end with CR', 'id: 1\rdata: 1\r\rdata: [DONE]\r\r'],
  ['a byte order mark', '\ufeffid: 1\ndata: 1\n\ndata: [DONE]\n\n']
])('%s, in pieces of one byte', async (_, text) => {
  const { url } = await serveAnswers([sse([...Buffer.from(text)].map((byte) => Uint8Array.of(byte)))])
  expect(brief(await eventsOf(plainSse(), url))).toEqual([output(1), DONE])
})

describe('the cursor', () => {
  test('of a server that answers from it on, not after it: the message is delivered once', async () => {
    const { url } = await serveAnswers([
      sse('id: a\ndata: 1\n\nid: b\ndata: 2\n\ndata: 3\n\n', { isCut: true }),
      sse(`id: b\ndata: 2\n\ndata: 3\n\nid: c\ndata: 4\n\n${END}`)
    ])
    expect(brief(await eventsOf(plainSse(), url))).toEqual([output(1), output(2), output(3), output(4), DONE])
  })

  test('of a server that pays no attention to it, and counts: what it tells again comes after a gap', async () => {
    const log = 'id: 9\ndata: 9\n\nid: 10\ndata: 10\n\n'
    const { url } = await serveAnswers([sse(log, { isCut: true }), sse(log + END)])
    expect(brief(await eventsOf(plainSse(), url))).toEqual([output(9), output(10), GAP, output(9), output(10), DONE])
  })

  test.each([
    ['a', 'b', 'c'],
    ['1796-0', '1796-1', '1797-0'],
    ['1', 'x', 'y']
  ])('of a server that pays no attention to it, and does not count, %s %s %s: what it tells again comes after a gap, also after a reload', async (a, b, c) => {
    const log = `id: ${a}\ndata: 1\n\nid: ${b}\ndata: 2\n\n`
    const { url } = await serveAnswers([sse(log, { isCut: true }), sse(`${log}id: ${c}\ndata: 3\n\n${END}`)])
    const events = await eventsOf(plainSse(), url)
    expect(brief(events)).toEqual([output(1), output(2), GAP, output(1), output(2), output(3), DONE])
    const again = await eventsOf(plainSse(), url, { after: `${events[1]?.id}` })
    expect(brief(again)).toEqual([GAP, output(1), output(2), output(3), DONE])
  })

  test.each(['a b', '100%', 'x&y=1+2', '"ü😀"', '../%2F'])('%s reaches the server as it is', async (id) => {
    for (const cursor of ['header', { parameter: 'after' }] as const) {
      const { url, requests } = await serveAnswers([sse(`id: ${id}\ndata: 1\n\n`), sse(END)])
      await eventsOf(plainSse({ cursor }), url)
      const { headers, url: asked = '' } = requests[1] ?? {}
      const header = headers?.['last-event-id']
      expect(header === undefined ? new URL(asked, url).searchParams.get('after') : Buffer.from(`${header}`, 'latin1').toString()).toBe(id)
    }
  })

  test('a number that JavaScript rounds is none: what may be lost is a gap', async () => {
    const { url, requests } = await serveAnswers([lines('{"id":9007199254740993}\n'), lines('[DONE]\n')])
    const events = await eventsOf(ndjson({ cursor: { parameter: 'after' } }), url)
    expect(events.map(({ type }) => type)).toEqual(['output', 'gap', 'succeeded'])
    expect(requests[1]?.url).toBe('/jobs/j1')
  })
})

test.each(['a\nb', 'a\0b', '\x7f'])('an id that no header can carry is none: %j', async (id) => {
  const line = (value: object): string => `${JSON.stringify(value)}\n`
  const [one, two] = [
    { id: 'a', n: 1 },
    { id, n: 2 }
  ]
  const { url, requests } = await serveAnswers([lines(line(one) + line(two)), lines(`${line(two)}[DONE]\n`)])
  expect(brief(await eventsOf(ndjson(), url))).toEqual([output(one), output(two), DONE])
  expect(requests[1]?.headers['last-event-id']).toBe('a')
  expect(() => clientOf(ndjson(), url).subscribe('j1', { after: `2.0.${id}` })).toThrow('after: expected the id of an event of this backend')
})

test.each(['application/ndjson', 'application/jsonlines', 'text/plain; charset=utf-8'])('lines may be of type %s', async (type) => {
  const { url } = await serveAnswers([lines('{"id":1}\r\n\r\n[DONE]\r\n', type)])
  expect(brief(await eventsOf(ndjson(), url))).toEqual([output({ id: 1 }), DONE])
})

test('a redirect to another origin is not sent the token', async () => {
  const other = await serveAnswers([sse(`id: 1\ndata: 1\n\n${END}`)])
  const { url, requests } = await serveAnswers([{ status: 307, headers: { location: `${other.url}/1` } }])
  expect(brief(await eventsOf(plainSse(), url, { token: 'secret' }))).toEqual([output(1), DONE])
  expect([requests, other.requests].map(([request]) => request?.headers.authorization)).toEqual(['Bearer secret', undefined])
})
