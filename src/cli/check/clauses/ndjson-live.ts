/** §3: NDJSON as a live stream. */

import { type Clause, clauseOf } from '../clause.ts'
import { type CheckContext, oncePerContext } from '../context.ts'
import { expect, LeftOut, need } from '../finding.ts'
import type { Stream } from '../stream.ts'
import { controlsIn } from '../transcript.ts'
import { type Streaming, streamingClauses } from './streaming.ts'
import { streamWindow } from './window.ts'

const TYPE = /^application\/x-ndjson\b/i

const clause = clauseOf('ndjson')

const wholeAnswer = oncePerContext(async (context: CheckContext): Promise<Stream> => {
  const job = need(context.jobs.finished, context.jobs.why ?? '')
  const stream = await context.lines([{ job }])
  await stream.until(() => controlsIn(stream, 'done').length > 0)
  return stream
})

/** Whether the answer is a live stream. A single read ends with `end`. */
const isLive = (stream: Stream): boolean => isLines(stream) && controlsIn(stream, 'end').length === 0
const isLines = ({ status, headers }: Stream): boolean => status === 200 && TYPE.test(headers.get('content-type') ?? '')

/** The finished job's stream. Throws `LeftOut` where the server has none. */
async function whole(context: CheckContext): Promise<Stream> {
  const stream = await wholeAnswer(context)
  if (!isLive(stream)) throw new LeftOut('the server offers no live NDJSON')
  return stream
}

const streaming: Streaming = {
  group: 'ndjson',
  prefix: 'ndjson-live',
  section: '§3',
  whole,
  open: (context, asks, params = {}) => context.lines(asks, { params })
}

export const ndjsonLiveClauses: readonly Clause[] = [
  clause('ndjson-live-answers', '§3', 'With Accept: application/x-ndjson and ?live=1, the answer is a live stream of one frame a line', async (context) => {
    const stream = await wholeAnswer(context)
    await stream.until(() => false)
    // A server may offer single reads only, or no NDJSON.
    if (!context.required.has('ndjson') && !isLive(stream)) throw new LeftOut('the server offers no live NDJSON')
    expect(isLive(stream), stream.asked, '200 application/x-ndjson, without "end"', stream.came())
    expect(stream.text === '', stream.asked, 'a frame in each line', stream.text)
  }),
  clause('ndjson-live-headers', '§3', 'The headers keep caches and proxies from holding the stream back', async (context) => {
    const { asked, headers } = await whole(context)
    for (const [name, pattern, expected] of [
      ['x-accel-buffering', /^no$/i, 'no'],
      ['incremental', /^\?1$/, '?1'],
      ['cache-control', /\bno-transform\b/i, 'no-transform among others']
    ] as const)
      expect(pattern.test(headers.get(name) ?? ''), asked, `${name}: ${expected}`, `${name}: ${headers.get(name) ?? 'none'}`)
  }),
  ...streamingClauses(streaming),
  streamWindow(streaming),
  clause('ndjson-live-end', '§3', "The body ends after every job's done or error", async (context) => {
    const stream = await whole(context)
    need(controlsIn(stream, 'done').length, 'no done came')
    await stream.until(() => false)
    expect(stream.ended() === 'the body ended', stream.asked, 'the end of the body after "done"', stream.came())
  })
]
