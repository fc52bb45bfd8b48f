/** a2a against an agent of the A2A SDK, by both bindings, and against recorded answers of one. */

import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest'
import { a2a } from '../../src/backends.ts'
import { describeBackend } from '../../src/testing/backend.ts'
import type { JobEvent } from '../../src/types.ts'
import { type A2aServer, startA2a } from './a2a-server.ts'
import { brief, clientOf, eventsOf, serveAnswers } from './following.ts'
import { answerOf, recording } from './recording.ts'
import { subjects } from './subjects.ts'
import { underTest } from './under-test.ts'

let server: A2aServer
beforeAll(async () => {
  server = await startA2a()
})
afterAll(() => server.close())

describe.each(['http', 'json-rpc'] as const)('a2a, by %s', (binding) => {
  const url = (): string => (binding === 'http' ? server.url : server.rpcUrl)
  /** Reads the task again only when its stream has a message. */
  const live = a2a({ binding, pollMs: 60_000, maxPollMs: 60_000 })

  describeBackend(
    `a2a, by ${binding}`,
    underTest(subjects[`a2a, by ${binding}`], async () => ({ url: url(), job: server.job, close() {} }))
  )

  function follow(id: string) {
    const job = clientOf(live, url()).subscribe(id)
    const events: JobEvent[] = []
    const done = (async () => {
      for await (const event of job) events.push(event)
    })()
    done.catch(() => {}) // a test that awaits it sees the error
    const sees = (type: string): Promise<void> => vi.waitFor(() => expect(events.map((event) => event.type)).toContain(type), 10_000)
    return { job, events, done, sees }
  }

  test('a message of its stream causes a read of the task, and each part of an artifact comes once', async () => {
    const { id, say, artifact, finish } = await server.task()
    const { events, done, sees } = follow(id)
    await sees('queued')
    say('TASK_STATE_WORKING', 'reading')
    await sees('progress')
    artifact('piece 1', false)
    await sees('output')
    artifact('piece 2', true)
    say('TASK_STATE_COMPLETED')
    finish()
    await done
    const output = (text: string, append: boolean): [string, unknown] => [
      'output',
      { artifactId: 'report', name: 'report', parts: [expect.objectContaining({ text })], append }
    ]
    expect(brief(events)).toEqual([
      ['queued', {}],
      ['started', {}],
      ['progress', { message: 'reading' }],
      output('piece 1', false),
      output('piece 2', true),
      ['succeeded', [expect.objectContaining({ artifactId: 'report' })]]
    ])
    // After the end the server refuses the stream, but not the task.
    expect((await eventsOf(live, url(), { job: id })).map(({ type }) => type)).toEqual(['output', 'output', 'succeeded'])
  })

  test.each([
    ['TASK_STATE_FAILED', ['failed', { code: 'failed', message: 'why' }]],
    ['TASK_STATE_REJECTED', ['failed', { code: 'rejected', message: 'why' }]],
    ['TASK_STATE_CANCELED', ['cancelled', { reason: 'why' }]]
  ] as const)('%s', async (state, end) => {
    const { id, say, finish } = await server.task()
    const { events, done, sees } = follow(id)
    await sees('queued')
    say(state, 'why')
    finish()
    await done
    expect(brief(events).at(-1)).toEqual(end)
  })

  test.each([
    ['TASK_STATE_INPUT_REQUIRED', 'input'],
    ['TASK_STATE_AUTH_REQUIRED', 'auth']
  ] as const)('%s is waiting, though its stream ends', async (state, what) => {
    const { id, say, finish } = await server.task()
    const { job, events, sees } = follow(id)
    await sees('queued')
    say(state, 'which year?')
    finish()
    await sees('waiting')
    expect(brief(events).at(-1)).toEqual(['waiting', { for: what, prompt: 'which year?' }])
    expect(job.state.status).toBe('running')
    job.close()
  })

  test('a cancel', async () => {
    const { id } = await server.task()
    const { job, events, done, sees } = follow(id)
    await sees('queued')
    await job.cancel()
    await done
    expect(brief(events).at(-1)).toEqual(['cancelled', {}])
  })

  test('leaving the stream doesn’t stop the task', async () => {
    const { id, say, finish } = await server.task()
    const { job, sees } = follow(id)
    await sees('queued')
    job.close()
    say('TASK_STATE_COMPLETED')
    finish()
    expect((await eventsOf(live, url(), { job: id })).map(({ type }) => type)).toEqual(['succeeded'])
  })

  test('a task that never existed is unknown', async () => {
    await expect(eventsOf(live, url(), { job: 'nope', unknownJobGraceMs: 0 })).rejects.toMatchObject({ code: 'unknown-job' })
  })
})

describe('a2a, recorded', () => {
  const recorded = recording('a2a')

  test('sends its version with each request, and requests no history', async () => {
    const { url, requests } = await serveAnswers(({ url }) =>
      answerOf(recorded(url.includes('subscribe') ? 'subscribe after the end' : 'the task after its end'))
    )
    const events = await eventsOf(a2a(), url, { job: 'id-3' })
    expect(events.map(({ type }) => type)).toEqual(['output', 'output', 'succeeded'])
    expect(requests.map((each) => [each.url, each.headers['a2a-version']])).toEqual([['/jobs/tasks/id-3?historyLength=0', '1.0']])
  })

  test('a server of another version refuses it', async () => {
    const { url } = await serveAnswers([answerOf(recorded('no version'))])
    await expect(eventsOf(a2a(), url)).rejects.toMatchObject({ code: 'bad-request' })
  })
})
