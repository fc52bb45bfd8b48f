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
  // One event on several data lines is JSON with line feeds in it.
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
      const frames = events.map(({ data }, index) => ({ ...event(index + 1, data), type: 'output' })) // progress would be put in order
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
    expect(values.map((batch) => [...batch])).toEqual([[], [], [], [{ control: 'heartbeat' }]]) // the first says that the answer is an event stream
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
  const subscribed = (seq: number) => ({ control: 'subscribed', job: '42', epoch: 'e', seq, cursor: `e-${seq}`, status: 'running' })
  const bye = { control: 'bye', reason: 'window', retryMs: 0 }
  const data = (...frames: object[]): string => frames.map((frame) => `data: ${JSON.stringify(frame)}\n\n`).join('')

  /** Answers that the test writes, piece by piece. */
  function stream(): { response: Response; send(...frames: object[]): void; end(): void; fail(): void; isCancelled(): boolean } {
    let body: ReadableStreamDefaultController<Uint8Array> | undefined
    let isCancelled = false
    const readable = new ReadableStream({
      start(controller) {
        body = controller
      },
      cancel() {
        isCancelled = true
      }
    })
    return {
      response: new Response(readable, eventStream),
      send: (...frames) => body?.enqueue(encode(data(...frames))),
      end: () => body?.close(),
      fail: () => body?.error(new TypeError('terminated')),
      isCancelled: () => isCancelled
    }
  }

  function openWindows(windowBytes: number, ...answers: Parameters<typeof scriptFetch>) {
    const script = scriptFetch(...answers)
    const reader = openReader(sse(), base, undefined, { fetch: script.fetch, windowBytes })
    onTestFinished(() => reader.abort())
    return { script, reader, cursors: () => script.asked.map(({ url }) => url.searchParams.get('after')) }
  }
  const seqs = ({ events }: Reader): number[] => events.map(({ seq }) => seq)

  it('is gone on with from the cursor by another stream, which is opened when half of it has been read', async () => {
    const [first, second] = [stream(), stream()]
    const { script, reader, cursors } = openWindows(1000, first.response, second.response)
    first.send(hello, subscribed(0), event(1))
    await reader.untilEvents(1)
    expect(script.asked).toHaveLength(1)
    first.send(event(2, 'x'.repeat(300)))
    await reader.untilEvents(2)
    expect(cursors()).toEqual([null, 'e-2'])
    expect(script.asked.map(({ url }) => url.searchParams.get('window'))).toEqual(['1000', '1000'])
    // Meanwhile the first goes on.
    first.send(event(3))
    await reader.untilEvents(3)
    expect(first.isCancelled()).toBe(false)
    const pending = reader.untilEvents(5)
    second.send(hello, subscribed(2), event(3), event(4))
    await pending
    expect(seqs(reader)).toEqual([1, 2, 3, 3, 4]) // that it overlaps is said by subscribed
    expect(reader.had.slice(-4)).toEqual([hello, subscribed(2), event(3), event(4)])
    await vi.waitFor(() => expect(first.isCancelled()).toBe(true))
    expect(script.asked[0]?.init.signal?.aborted).toBe(true)
    expect(script.asked).toHaveLength(2)
  })

  it('that is used up is not told: the next stream is waited for', async () => {
    const [first, second] = [stream(), stream()]
    // Half of the bytes are less than half of the characters where they are not ASCII.
    const { reader, cursors } = openWindows(1200, first.response, second.response)
    first.send(hello, subscribed(0), event(1), bye)
    first.end()
    second.send(hello, subscribed(1), event(2), { control: 'bye', reason: 'shutdown', retryMs: 7 })
    second.end()
    await reader.toEnd()
    expect(cursors()).toEqual([null, 'e-1'])
    expect(reader.had).toEqual([hello, subscribed(0), event(1), hello, subscribed(1), event(2), { control: 'bye', reason: 'shutdown', retryMs: 7 }])
  })

  it('that ends long before it is used up is told, and not opened again', async () => {
    const { script, reader } = openWindows(1_000_000, new Response(data(hello, subscribed(0), bye), eventStream))
    await reader.toEnd()
    expect(reader.had.at(-1)).toEqual(bye)
    expect(script.asked).toHaveLength(1)
  })

  it('is not opened again where every job is done', async () => {
    const done = { control: 'done', job: '42', cursor: 'e-1' }
    const { script, reader } = openWindows(10, new Response(data(hello, subscribed(0), event(1), done), eventStream))
    await reader.toEnd()
    expect(reader.had.at(-1)).toEqual(done)
    expect(script.asked).toHaveLength(1)
  })

  it.each([
    ['ends', (first: ReturnType<typeof stream>) => first.end()],
    ['breaks', (first: ReturnType<typeof stream>) => first.fail()]
  ])('goes on with the next stream where the first %s before that is subscribed', async (_, stop) => {
    const [first, second] = [stream(), stream()]
    const { reader } = openWindows(10, first.response, second.response)
    first.send(hello, subscribed(0), event(1))
    await reader.untilEvents(1)
    stop(first)
    const pending = reader.untilEvents(2)
    second.send(hello, subscribed(1), event(2))
    await pending
    expect(seqs(reader)).toEqual([1, 2])
  })

  it.each([
    ['fails', new TypeError('Failed to fetch'), { reason: 'network' }],
    ['is refused', new Response('<p>', { status: 502, headers: { 'content-type': 'text/html' } }), { reason: 'status', status: 502 }]
  ])('is read to its end where the next stream %s, and only then that counts', async (_, answer, failure) => {
    const first = stream()
    const { script, reader } = openWindows(10, first.response, answer)
    first.send(hello, subscribed(0), event(1))
    await reader.untilEvents(1)
    await vi.waitFor(() => expect(script.asked).toHaveLength(2))
    first.send(event(2))
    await reader.untilEvents(2)
    first.send(event(3), bye)
    first.end()
    await expect(reader.toEnd()).rejects.toMatchObject(failure)
    expect(seqs(reader)).toEqual([1, 2, 3])
    expect(script.asked).toHaveLength(2)
  })

  it.each(['while both are open', 'when it is left'])('lets both streams go, %s', async (when) => {
    const [first, second] = [stream(), stream()]
    const { script, reader } = openWindows(10, first.response, second.response)
    first.send(hello, subscribed(0), event(1))
    await reader.untilEvents(1)
    await vi.waitFor(() => expect(script.asked).toHaveLength(2))
    if (when === 'when it is left') await reader.frames.return?.()
    else {
      const end = reader.toEnd().catch((error) => error)
      reader.abort('enough')
      expect(await end).toBe('enough')
    }
    await vi.waitFor(() => expect([first.isCancelled(), second.isCancelled()]).toEqual([true, true]))
  })
})
