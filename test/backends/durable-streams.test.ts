/** durableStreams against the reference server of Durable Streams. */

import { afterAll, beforeAll, describe, expect, onTestFinished, test, vi } from 'vitest'
import { durableStreams } from '../../src/backends.ts'
import { describeBackend } from '../../src/testing/backend.ts'
import type { Backend, JobEvent } from '../../src/types.ts'
import { type DurableServer, startDurable } from './durable-streams-server.ts'
import { brief, clientOf, eventsOf, serveAnswers } from './following.ts'
import { subjects } from './subjects.ts'
import { only } from './transports.ts'
import { underTest } from './under-test.ts'

let server: DurableServer
let url = ''
let { create, send, append, end: close } = {} as DurableServer // as: set before each test

beforeAll(async () => {
  server = await startDurable()
  ;({ url, create, send, append, end: close } = server)
})
afterAll(() => server.close())

const under = (backend: Backend) => underTest({ ...subjects.durableStreams, backend }, async () => ({ url, job: server.job, close() {} }))

describeBackend('durableStreams, by event stream', under(only(durableStreams(), 'sse')))
describeBackend('durableStreams, by long polls', under(only(durableStreams(), 'long-poll')))

describe.each(['sse', 'long-poll'])('by %s', (name) => {
  const backend = only(durableStreams(), name)
  const steps = (events: readonly JobEvent[]): unknown[] => brief(events).map(([type, data]) => [type, (data as { step?: number } | null)?.step]) // as: appended here

  test('a close makes the last message the result, also for a reader that resumes after it', async () => {
    const id = await create()
    await append(id, { step: 1 }, { step: 2 })
    await append(id, { step: 3 })
    await close(id, { step: 4 }, { step: 5 })
    const events = await eventsOf(backend, url, { job: id })
    expect(steps(events)).toEqual([...[1, 2, 3, 4, 5].map((step) => ['output', step]), ['succeeded', 5]])
    for (const { id: after, seq } of events.slice(0, 5)) {
      const rest = await eventsOf(backend, url, { job: id, after })
      expect(rest).toEqual(events.slice(seq).map((event) => ({ ...event, time: expect.any(String) })))
    }
  })

  test('a resumed batch comes again from its beginning, but each event once', async () => {
    const id = await create()
    await append(id, { step: 1 }, { step: 2 }, { step: 3 })
    const leaving = clientOf(backend, url).subscribe(id)
    const seen: JobEvent[] = []
    for await (const event of leaving) if (seen.push(event) === 2) break
    await append(id, { step: 4 })
    await close(id)
    const events = await eventsOf(backend, url, { job: id, after: seen.at(-1)?.id ?? '' })
    expect(events.map(({ seq }) => seq)).toEqual([3, 4, 5])
    expect(steps(events)).toEqual([
      ['output', 3],
      ['output', 4],
      ['succeeded', 4]
    ])
  })

  test('a new stream at the same URL, shorter than the cursor, is a gap, and is read from its beginning', async () => {
    const id = await create()
    await append(id, { step: 1 }, { step: 2 })
    const seen: JobEvent[] = []
    for await (const event of clientOf(backend, url).subscribe(id)) if (seen.push(event) === 2) break
    await send('DELETE', id)
    await send('PUT', id)
    await close(id, { step: 9 })
    const beyond = '2.0.0000000000000009_0000000000000191'
    for (const after of [seen.at(-1)?.id ?? '', beyond])
      expect(steps(await eventsOf(backend, url, { job: id, after }))).toEqual([
        ['gap', undefined],
        ['output', 9],
        ['succeeded', 9]
      ])
  })

  test('an unknown stream is an unknown job', async () => {
    await expect(eventsOf(backend, url, { job: 'nope', unknownJobGraceMs: 0 })).rejects.toMatchObject({ code: 'unknown-job' })
  })

  test('from the tail, only new events', async () => {
    const id = await create()
    await append(id, { step: 1 })
    const job = clientOf(backend, url).subscribe(id, { after: 'tail' })
    job.onChange(() => {})
    const events: JobEvent[] = []
    const done = (async () => {
      for await (const event of job) events.push(event)
    })()
    await vi.waitFor(() => expect(job.state.connection.phase).toBe('live'))
    await append(id, { step: 2 })
    await close(id)
    await done
    expect(steps(events)).toEqual([
      ['output', 2],
      ['succeeded', 2]
    ])
  })
})

describe('answers that the reference server does not give', () => {
  const asked = { 'content-type': 'text/event-stream' }
  const control = (offset: string, more = ''): string => `event: control\ndata:{"streamNextOffset":"${offset}"${more}}\n\n`

  test('an offset that is no longer retained, 410, is a gap', async () => {
    const { url } = await serveAnswers(({ url }) =>
      url.includes('offset=-1')
        ? { headers: asked, body: `event: data\ndata:[{"n":9}]\n\n${control('b', ',"streamClosed":true')}` }
        : { status: 410, body: 'Gone' }
    )
    const events = await eventsOf(only(durableStreams(), 'sse'), url, { after: '3.1.a' })
    expect(brief(events)).toEqual([
      ['gap', { missed: undefined, reason: 'epoch' }],
      ['output', { n: 9 }],
      ['succeeded', { n: 9 }]
    ])
  })

  test('long polls that are answered at once with nothing are made ever more rarely, until something comes', async () => {
    const at: number[] = []
    const { url } = await serveAnswers(() => {
      at.push(performance.now())
      const headers = { 'stream-next-offset': '5', 'stream-up-to-date': 'true', 'content-type': 'application/json' }
      if (at.length === 8) return { headers: { ...headers, 'stream-next-offset': '6' }, body: '[{"step":1}]' }
      return at.length > 10 ? { headers: { ...headers, 'stream-closed': 'true' }, body: '[]' } : { headers, body: '[]' }
    })
    await eventsOf(only(durableStreams(), 'long-poll'), url, { firstLook: false })
    const pauses = at.slice(1).map((each, index) => each - (at[index] ?? each))
    expect(pauses[6]).toBeGreaterThan(1500)
    // After a message they are short again. A busy machine makes them longer, but not all of them.
    expect(Math.min(...pauses.slice(7))).toBeLessThan(1000)
  })

  test('a stream that is not in JSON mode is an error', async () => {
    const { url } = await serveAnswers([{ headers: asked, body: 'event: data\ndata:hello\n\n' }])
    const diagnostics: unknown[] = []
    const job = clientOf(only(durableStreams(), 'sse'), url, { onDiagnostic: (each) => diagnostics.push(each) }).subscribe('1')
    job.onChange(() => {})
    onTestFinished(job.close)
    await vi.waitFor(() => expect(diagnostics).toContainEqual(expect.objectContaining({ type: 'probe-failed', reason: 'protocol' })))
  })

  test('`closed` and `end` say what a close and a message mean', async () => {
    const { url, requests } = await serveAnswers([{ headers: asked, body: `event: data\ndata:[{"ok":false}]\n\n${control('b', ',"streamClosed":true')}` }])
    const closed = (last: unknown): ['failed' | 'succeeded', unknown] =>
      (last as { ok: boolean }).ok ? ['succeeded', last] : ['failed', { code: 'no', message: 'not ok' }] // as: appended here
    expect(brief(await eventsOf(only(durableStreams({ closed }), 'sse'), url))).toEqual([
      ['output', { ok: false }],
      ['failed', { code: 'no', message: 'not ok' }]
    ])
    expect(requests[0]?.url).toBe('/jobs/j1?live=sse&offset=-1')
    const end = ({ data }: { data: unknown }): ['cancelled', unknown] | undefined => (Object(data).ok === false ? ['cancelled', {}] : undefined)
    expect(brief(await eventsOf(only(durableStreams({ end }), 'sse'), url))).toEqual([['cancelled', {}]])
  })
})
