/** langGraph against the real server, where `npm test` has installed it, and against recorded answers of it. */

import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest'
import { langGraph } from '../../src/backends.ts'
import { describeBackend } from '../../src/testing/backend.ts'
import type { JobEvent } from '../../src/types.ts'
import { langGraph as peer } from '../setup/peers.ts'
import { brief, clientOf, eventsOf, serveAnswers } from './following.ts'
import { type LangGraphServer, startLangGraph } from './lang-graph-server.ts'
import { answerOf, recording } from './recording.ts'
import { subjects } from './subjects.ts'
import { underTest } from './under-test.ts'

describe.skipIf(!peer.find())('langGraph, for real', { timeout: 60_000 }, () => {
  let server: LangGraphServer
  beforeAll(async () => {
    server = await startLangGraph()
  }, 60_000)
  afterAll(() => server?.close())

  describeBackend(
    'langGraph',
    underTest(subjects.langGraph, async () => ({ url: server.url, job: server.job, close() {} }))
  )

  function follow(id: string) {
    const job = clientOf(langGraph({ progress: (custom) => (custom as { ratio?: number }).ratio && custom }), server.url).subscribe(id) // as: the graph's
    const events: JobEvent[] = []
    const done = (async () => {
      for await (const event of job) events.push(event)
    })()
    done.catch(() => {}) // a test that awaits it sees the error
    return { job, events, done }
  }

  test('standard events, and the thread’s values as the result', async () => {
    const { id, tell } = await server.run()
    const { events, done } = follow(id)
    tell({ write: { ratio: 0.5 } })
    tell({ write: { note: 1 } })
    tell({ end: 42 })
    await done
    expect(brief(events)).toEqual([
      ['started', expect.objectContaining({ attempt: 1 })],
      ['progress', { ratio: 0.5 }],
      ['custom', { note: 1 }],
      ['updates', { work: { answer: 42 } }],
      ['succeeded', expect.objectContaining({ answer: 42 })]
    ])
  })

  test('the message of a graph that throws is the failure’s', async () => {
    const { id, tell } = await server.run()
    tell({ fail: 'the disk is full' })
    const { events, done } = follow(id)
    await done
    expect(brief(events).at(-1)).toEqual(['failed', { code: 'Error', message: 'the disk is full' }])
  })

  test('a run that asks a person is waiting, once, also after a reload, though its status is success', async () => {
    const { id, tell } = await server.run()
    tell({ ask: 'which year?' })
    const { job, events } = follow(id)
    await vi.waitFor(() => expect(brief(events).at(-1)).toEqual(['waiting', { for: 'input', prompt: 'which year?' }]), 10_000)
    expect(job.state.status).toBe('running')
    job.close()
    const [thread] = id.split('/')
    const later = clientOf(langGraph(), server.url).subscribe(id, { after: events.at(-1)?.id ?? '' })
    const seen: JobEvent[] = []
    const over = (async () => {
      for await (const event of later) seen.push(event)
    })()
    await vi.waitFor(() => expect(later.state.connection.phase).toBe('live'))
    // The answer is a run of its own.
    await fetch(`${server.url}/threads/${thread}/runs`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ assistant_id: 'job', command: { resume: '2026' } })
    })
    tell({ end: 7 })
    await over
    expect(seen.map(({ type }) => type)).toEqual(['succeeded'])
  })

  test('without the stream mode that has the interrupt, the thread says that it waits', async () => {
    const { id, tell } = await server.run({ stream_mode: ['custom'] })
    tell({ ask: 'which year?' })
    const { job, events } = follow(id)
    await vi.waitFor(() => expect(brief(events).at(-1)).toEqual(['waiting', { for: 'input', prompt: 'which year?' }]), 10_000)
    job.close()
  })

  test('a cancelled run, whose stream just ends, is cancelled', async () => {
    const { id, tell } = await server.run()
    tell({ write: 1 })
    const { job, events, done } = follow(id)
    await vi.waitFor(() => expect(events).toHaveLength(2), 10_000)
    await job.cancel()
    await done
    expect(brief(events).at(-1)).toEqual(['cancelled', {}])
  })

  test('the cancel of a run that is over changes nothing', async () => {
    const { id, tell } = await server.run()
    tell({ end: 1 })
    const { job, events, done } = follow(id)
    await done
    await job.cancel()
    expect((await eventsOf(langGraph(), server.url, { job: id })).map(({ type }) => type)).toEqual(events.map(({ type }) => type))
  })

  test('two readers from the start on each receive everything, since both send a cursor', async () => {
    const { id, tell } = await server.run()
    const readers = [follow(id), follow(id)]
    for (const n of [1, 2, 3]) tell({ write: { n } })
    tell({ end: 1 })
    await Promise.all(readers.map(({ done }) => done))
    for (const { events } of readers) expect(events.map(({ seq }) => seq)).toEqual([1, 2, 3, 4, 5, 6])
  })

  test('an id that no run can have is refused', async () => {
    await expect(eventsOf(langGraph(), server.url, { job: 'no/uuid', retry: { attempts: 2, baseMs: 1 } })).rejects.toMatchObject({ code: 'bad-request' })
  })

  test('a run that never existed is an unknown job, though its stream answers 200', async () => {
    const [thread] = (await server.run()).id.split('/')
    await expect(eventsOf(langGraph(), server.url, { job: `${thread}/00000000-0000-4000-8000-000000000000`, unknownJobGraceMs: 0 })).rejects.toMatchObject({
      code: 'unknown-job'
    })
  })
})

describe('langGraph', () => {
  const recorded = recording('langgraph')

  test('the first request has a cursor, and leaving does not cancel', async () => {
    const { url, requests } = await serveAnswers(({ url }) =>
      answerOf(recorded(url.includes('/stream') ? 'after the end: everything' : url.includes('/runs/') ? 'the run after its end' : 'the thread: fail'))
    )
    const events = await eventsOf(langGraph(), url.replace('/jobs', ''), { job: 'id-1/id-2' })
    expect(events.map(({ id }) => id)).toEqual([
      '1.0~epw9f3.0',
      '2.0~epw9f3.1',
      '3.0~epw9f3.2',
      '4.0~epw9f3.3',
      '5.0~epw9f3.4',
      '6.0~epw9f3.5',
      '7.0~epw9f3.6',
      '8.0~epw9f3!succeeded.6'
    ])
    expect(requests.map((each) => [each.url, each.headers['last-event-id']])).toEqual([
      ['/threads/id-1/runs/id-2', undefined],
      ['/threads/id-1', undefined],
      ['/threads/id-1/runs/id-2/stream?cancel_on_disconnect=0', '-1'],
      ['/threads/id-1/runs/id-2', undefined],
      ['/threads/id-1', undefined]
    ])
  })

  test('a cursor beyond the end, which the server takes for the tail, is a gap', async () => {
    const { url } = await serveAnswers(({ url }) =>
      answerOf(
        recorded(
          url.includes('/stream')
            ? 'while it runs: a cursor beyond the end is taken for the tail'
            : url.includes('/runs/')
              ? 'the run after its end'
              : 'the thread: fail'
        )
      )
    )
    const events = await eventsOf(langGraph(), url.replace('/jobs', ''), { job: 'id-15/id-18', after: '100.0.99' })
    expect(events.map(({ type }) => type)).toEqual(['gap', 'custom', 'updates', 'custom', 'updates', 'succeeded'])
  })

  test('ids that don’t count, as the Python server’s, are no gap', async () => {
    const { url } = await serveAnswers(({ url }) =>
      url.includes('/stream')
        ? { headers: { 'content-type': 'text/event-stream' }, body: 'event: updates|sub:1\ndata: {"a":1}\nid: 1796-4\n\n' }
        : answerOf(recorded(url.includes('/runs/') ? 'the run after its end' : 'the thread: fail'))
    )
    const events = await eventsOf(langGraph(), url.replace('/jobs', ''), { job: 'id-1/id-2', after: '3.0.1796-0' })
    expect(brief(events)[0]).toEqual(['updates', { a: 1, namespace: '|sub:1' }])
    expect(events).toHaveLength(2)
  })

  test('another job id, and the tail, are errors that say what was expected', async () => {
    const client = clientOf(langGraph(), 'http://127.0.0.1:1')
    expect(() => client.subscribe('run')).toThrow('job id: expected "{thread_id}/{run_id}"')
    expect(() => client.subscribe('a/b', { after: 'tail' })).toThrow('after: expected the id of an event of this backend')
  })
})
