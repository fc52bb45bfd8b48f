import fc from 'fast-check'
import { HttpResponse, http } from 'msw'
import { setupServer } from 'msw/node'
import { afterAll, afterEach, beforeAll, describe, expect, it, onTestFinished, vi } from 'vitest'
import { sse } from '../../src/transports/sse.ts'
import { type Asked, openReader, type Reader } from './reader.ts'
import { bodyOf, event, scriptFetch } from './scripted-fetch.ts'

const base = new URL('http://localhost/jobs')
const eventStream = { headers: { 'content-type': 'text/event-stream; charset=utf-8' } }

function open(answer: Response, jobs?: readonly Asked[]): Reader {
  const reader = openReader(sse(), base, jobs, { fetch: scriptFetch(answer).fetch })
  onTestFinished(() => reader.abort())
  return reader
}
const openBody = (body: BodyInit): Reader => open(new Response(body, eventStream))

const hello = { control: 'hello', protocol: 1, heartbeatMs: 15_000 }
const expected = [hello, event(1, 'ü€😀 \u2028'), event(2, { lines: 'a\nb' }), { control: 'done', job: '42', cursor: 'e-2' }]
const lines = [
  'event: control',
  `data: ${JSON.stringify(hello)}`,
  '',
  ': a comment — ü',
  '',
  'id: e-1',
  `data: ${JSON.stringify(expected[1])}`,
  '',
  'event: weather',
  'data: not ours, and not JSON',
  '',
  'id:e-2',
  // An event on several data lines is JSON with line feeds in it.
  ...JSON.stringify(expected[2], null, 1)
    .split('\n')
    .map((line) => `data: ${line}`),
  '',
  'retry: 5',
  'event: control',
  'data: {"control":"tomorrow","job":7}',
  '',
  'event: control',
  `data: ${JSON.stringify(expected[3])}`,
  '',
  ''
]
const encode = (text: string): Uint8Array<ArrayBuffer> => new TextEncoder().encode(text)
const ends: [string, string][] = [
  ['LF', '\n'],
  ['CR', '\r'],
  ['CRLF', '\r\n']
]

describe.each(ends)('an event stream with %s', (_, end) => {
  const bytes = encode(`\ufeff${lines.join(end)}`)

  it('is the same frames wherever it is cut in two', async () => {
    for (let at = 0; at <= bytes.length; at++) {
      const { had } = await openBody(bodyOf([bytes.slice(0, at), bytes.slice(at)])).toEnd()
      expect(had, `cut at ${at}`).toEqual(expected)
    }
  })

  it('is the same frames byte by byte', async () => {
    const { had } = await openBody(bodyOf([...bytes].map((byte) => Uint8Array.of(byte)))).toEnd()
    expect(had).toEqual(expected)
  })
})

it('is the same frames however it is cut, whatever it says', async () => {
  const stream = fc.array(fc.record({ data: fc.jsonValue(), end: fc.constantFrom('\n', '\r', '\r\n') }), { maxLength: 8 })
  await fc.assert(
    fc.asyncProperty(stream, fc.array(fc.nat(400), { maxLength: 12 }), async (events, cuts) => {
      const frames = events.map(({ data }, index) => ({ ...event(index + 1, data), type: 'output' })) // not `progress`, whose ratio would be added
      const bytes = encode(frames.map((frame, index) => `data: ${JSON.stringify(frame)}${events[index]?.end.repeat(2)}`).join(''))
      const edges = [0, ...cuts.map((cut) => cut % (bytes.length + 1)).sort((a, b) => a - b), bytes.length]
      const pieces = edges.slice(1).map((edge, index) => bytes.slice(edges[index], edge))
      const { had } = await openBody(bodyOf(pieces.filter(({ length }) => length > 0))).toEnd()
      expect(had).toEqual(JSON.parse(JSON.stringify(frames)))
    }),
    { numRuns: 200 }
  )
})

describe('an event stream', () => {
  it('tells that bytes come where they make no frame', async () => {
    const { frames } = openBody(bodyOf([': hello\n\n', 'data: {"contr', 'ol":"heartbeat"}\n\n']))
    const values = [await frames.next(), await frames.next(), await frames.next(), await frames.next()].map(({ value }) => value)
    expect(values.map((batch) => [...batch])).toEqual([[], [], [], [{ control: 'heartbeat' }]]) // the first empty batch says that the answer is an event stream
    expect(values.map(({ textLength }) => textLength)).toEqual([undefined, 9, 13, 18])
  })

  it('is read no faster than it is taken', async () => {
    const pull = vi.fn((controller: ReadableStreamDefaultController) => controller.enqueue(encode(`data: ${JSON.stringify(event(1))}\n\n`)))
    const { frames } = openBody(new ReadableStream({ pull }, { highWaterMark: 0 }))
    await frames.next()
    await frames.next()
    expect(pull).toHaveBeenCalledTimes(1)
  })

  it('gives what came before a malformed frame', async () => {
    const reader = openBody(bodyOf([`data: ${JSON.stringify(event(1))}\n\ndata: [1,2\n\n`]))
    await expect(reader.toEnd()).rejects.toMatchObject({ reason: 'protocol', message: expect.stringContaining('[1,2') })
    expect(reader.events).toEqual([event(1)])
  })

  it('fails as cut where the body breaks', async () => {
    const cause = new TypeError('terminated')
    await expect(openBody(bodyOf([': ok\n\n'], cause)).toEnd()).rejects.toMatchObject({ reason: 'cut', cause, message: expect.stringContaining('broke') })
  })

  it('hands over a large chunk in small pieces: whoever has enough leaves in the middle of it', async () => {
    const all = Array.from({ length: 10_000 }, (_, index) => event(index + 1, 'é'.repeat(500)))
    const reader = openBody(bodyOf([all.map((each) => `data: ${JSON.stringify(each)}\n\n`).join('')]))
    await reader.untilEvents(1)
    expect(reader.events.length).toBeLessThan(100)
    await reader.toEnd()
    expect(reader.events).toEqual(all)
  })

  it('does not hold an event without an end', async () => {
    const cancel = vi.fn()
    const chunks = Array.from({ length: 20 }, () => encode('x'.repeat(2 ** 20)))
    const pull = (controller: ReadableStreamDefaultController) => {
      const chunk = chunks.pop()
      if (chunk) controller.enqueue(chunk)
      else controller.close()
    }
    const long = new ReadableStream({ start: (controller) => controller.enqueue(encode('data: ')), pull, cancel })
    await expect(openBody(long).toEnd()).rejects.toMatchObject({ reason: 'protocol', message: expect.stringContaining('16777216') })
    expect(cancel).toHaveBeenCalled()
  })

  it('takes a 204 for the end of a single job, and for nothing where there are several', async () => {
    const reader = await open(new Response(null, { status: 204 }), [{ job: '42', after: 'e-9' }]).toEnd()
    expect(reader.had).toEqual([{ control: 'done', job: '42', cursor: 'e-9' }])
    await expect(open(new Response(null, { status: 204 }), [{ job: '42' }, { job: '43' }]).toEnd()).rejects.toMatchObject({
      reason: 'content-type',
      status: 204
    })
  })
})

describe('a path that answers something else', () => {
  const network = setupServer()
  beforeAll(() => network.listen())
  afterEach(() => network.resetHandlers())
  afterAll(() => network.close())
  const read = (): Promise<Reader> => openReader(sse(), base, undefined, { fetch: globalThis.fetch }).toEnd()

  it('fails with what it got', async () => {
    network.use(http.get('http://localhost/jobs/42/events', () => HttpResponse.html('<h1>Welcome</h1>')))
    const message = 'http://localhost/jobs/42/events: 200, text/html, not text/event-stream'
    await expect(read()).rejects.toMatchObject({ reason: 'content-type', status: 200, message })
  })

  it('says where a redirect has led', async () => {
    network.use(
      http.get('http://localhost/jobs/42/events', () => HttpResponse.redirect('http://localhost/login?secret=1')),
      http.get('http://localhost/login', () => HttpResponse.html('<h1>Who are you?</h1>'))
    )
    await expect(read()).rejects.toMatchObject({
      reason: 'redirected',
      status: 200,
      message: expect.stringContaining('http://localhost/login (redirected): 200, text/html')
    })
  })

  it('fails with network where there is no answer', async () => {
    network.use(http.get('http://localhost/jobs/42/events', () => HttpResponse.error()))
    await expect(read()).rejects.toMatchObject({ reason: 'network', message: expect.stringContaining('http://localhost/jobs/42/events') })
  })
})

describe('a window', () => {
  const bye = { control: 'bye', reason: 'window', retryMs: 0 }
  const data = (...frames: object[]): string => frames.map((frame) => `data: ${JSON.stringify(frame)}\n\n`).join('')

  it('is asked for, and its goodbye handed on: who reads on opens the next stream', async () => {
    const script = scriptFetch(new Response(data(hello, event(1), bye), eventStream))
    const reader = openReader(sse(), base, undefined, { fetch: script.fetch, windowBytes: 1000 })
    onTestFinished(() => reader.abort())
    await reader.toEnd()
    expect(script.asked.map(({ url }) => url.searchParams.get('window'))).toEqual(['1000'])
    expect(reader.had.at(-1)).toEqual(bye)
  })
})
