/** §4: server-sent events. */

import { TAIL } from '../../../protocol/rules.ts'
import { type Clause, clauseOf } from '../clause.ts'
import type { CheckContext } from '../context.ts'
import { expect, LeftOut, need } from '../finding.ts'
import { isFields, parse } from '../http.ts'
import { isNotOffered, MALFORMED_CURSOR, seqsOf } from '../readings.ts'
import { type Item, requireEventStream, type Stream } from '../stream.ts'
import { controlsIn, eventsIn } from '../transcript.ts'
import { type Streaming, streamingClauses } from './streaming.ts'
import { streamWindow } from './window.ts'

const clause = clauseOf('sse')

const isEvent = ({ data }: Item): boolean => isFields(data) && data.control === undefined
const isControl = ({ data }: Item): boolean => isFields(data) && data.control !== undefined

const streaming: Streaming = {
  group: 'sse',
  prefix: 'sse',
  section: '§4',
  whole: (context) => context.wholeStream(),
  open: (context, asks, params = {}) => context.stream(asks, { params })
}

export const sseClauses: readonly Clause[] = [
  clause('sse-answers', '§4', 'GET {base}/{id}/events with Accept: text/event-stream is answered with an event stream', async (context) => {
    const job = need(context.jobs.finished, context.jobs.why ?? '')
    const stream = await context.stream([{ job }])
    const type = stream.headers.get('content-type') ?? ''
    const isStream = stream.status === 200 && /^text\/event-stream\b/i.test(type)
    if (!isStream) await stream.until(() => false)
    stream.close()
    const isOtherReading = stream.status === 200 && /^application\/json\b/i.test(type)
    if (!context.required.has('sse') && (isOtherReading || isNotOffered({ status: stream.status, json: parse(stream.text) })))
      throw new LeftOut('the server offers no event stream')
    expect(isStream, stream.asked, '200 text/event-stream', stream.came())
  }),
  clause('sse-headers', '§4', 'The headers keep caches and proxies from holding the stream back', async (context) => {
    const { asked, headers } = await context.wholeStream()
    for (const [name, pattern, expected] of [
      ['content-type', /^text\/event-stream;\s*charset="?utf-8"?$/i, 'text/event-stream; charset=utf-8'],
      ['x-accel-buffering', /^no$/i, 'no'],
      ['incremental', /^\?1$/, '?1'],
      ['x-content-type-options', /^nosniff$/i, 'nosniff'],
      ['cache-control', /\bno-transform\b/i, 'no-transform among others']
    ] as const)
      expect(pattern.test(headers.get(name) ?? ''), asked, `${name}: ${expected}`, `${name}: ${headers.get(name) ?? 'none'}`)
  }),
  clause('sse-ids', '§4', 'Events carry id: and no event:, controls carry event: control and no id:, so that a bare EventSource follows', async (context) => {
    const { asked, items } = await context.wholeStream()
    for (const item of items.filter(isEvent)) {
      const { id } = isFields(item.data) ? item.data : {}
      expect(item.id === id && item.event === undefined, asked, `id: ${id}, and no event:`, item)
    }
    for (const item of items.filter(isControl)) expect(item.event === 'control' && item.id === undefined, asked, 'event: control, and no id:', item)
  }),
  ...streamingClauses(streaming),
  streamWindow(streaming),
  clause('sse-end', '§4', "The body ends after every job's done or error", async (context) => {
    const stream = await context.wholeStream()
    need(controlsIn(stream, 'done').length, 'no done came')
    await stream.until(() => false)
    expect(stream.ended() === 'the body ended', stream.asked, 'the end of the body after "done"', stream.came())
  }),
  clause(
    'sse-last-event-id',
    '§2',
    'The header Last-Event-ID is a cursor too, and wins over ?after: a native EventSource reconnects to its first URL',
    async (context) => {
      const { job, events, middle, rest, last } = await context.log()
      need((await context.wholeStream()).frames().length, 'nothing came')
      const other = events.find((event) => event !== middle)
      for (const after of [undefined, String(other?.id)]) {
        const stream = await context.stream([{ job, ...(after === undefined ? {} : { after }) }], { headers: { 'last-event-id': String(middle.id) } })
        await stream.until(() => eventsIn(stream, job).some(({ seq }) => seq === last.seq))
        stream.close()
        expect(String(seqsOf(eventsIn(stream, job))) === String(seqsOf(rest)), stream.asked, `the events with seq ${seqsOf(rest)}`, stream.came())
      }
    }
  ),
  clause('sse-204', '§4', "A single job whose cursor is at a finished log's end (as tail is) gets 204, which stops a native EventSource", async (context) => {
    const { job, last } = await context.log()
    await context.wholeStream()
    for (const after of [String(last.id), TAIL]) expectStatus(await opened(context, job, after), 204)
  }),
  clause('sse-malformed', '§2', 'A malformed cursor is answered with 400', async (context) => {
    const { job } = await context.log()
    await context.wholeStream()
    expectStatus(await opened(context, job, MALFORMED_CURSOR), 400, 'bad-request')
  }),
  clause('sse-unknown', '§7', 'A job that the server does not know is answered with 404 and the code unknown-job', async (context) => {
    await context.wholeStream()
    expectStatus(await opened(context, context.unknown), 404, 'unknown-job')
  }),
  clause('sse-pad', '§4', '?pad=1 brings a 2 KiB comment after hello, against proxies that buffer small writes', async (context) => {
    const { job } = await context.log()
    need(controlsIn(await context.wholeStream(), 'hello').length, 'no hello came')
    const stream = requireEventStream(await context.stream([{ job }], { params: { pad: '1' } }))
    const isPadded = () => stream.items.some(({ comment = '' }) => comment.length >= 2000)
    await stream.until(isPadded)
    stream.close()
    const hello = stream.items.findIndex(isControl)
    const padding = stream.items.findIndex(({ comment = '' }) => comment.length >= 2000)
    expect(padding > hello, stream.asked, 'a comment of 2 KiB after "hello"', stream.came())
  })
]

/** Opens a stream and waits for the end of its body, unless it is an event stream. */
async function opened(context: CheckContext, job: string, after?: string): Promise<Stream> {
  const stream = await context.stream([{ job, ...(after === undefined ? {} : { after }) }])
  if (stream.status !== 200) await stream.until(() => false)
  stream.close()
  return stream
}

function expectStatus(stream: Stream, status: number, code?: string): void {
  const body = parse(stream.text)
  const isMet = stream.status === status && (code === undefined || (isFields(body) && body.code === code))
  expect(isMet, stream.asked, `${status}${code === undefined ? '' : ` with the code ${code}`}`, stream.came())
}
