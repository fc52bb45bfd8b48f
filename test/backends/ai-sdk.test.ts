/** aiSdk against the real AI SDK, resumed through Redis, and workflow against answers written by its source code. */

import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest'
import { aiSdk, workflow } from '../../src/backends.ts'
import { describeBackend } from '../../src/testing/backend.ts'
import type { JobEvent } from '../../src/types.ts'
import { redisPath } from '../server/redis-server.ts'
import { type AiSdkServer, startAiSdk } from './ai-sdk-server.ts'
import { brief, clientOf, eventsOf, serveAnswers } from './following.ts'
import { answerOf, recording } from './recording.ts'
import { subjects } from './subjects.ts'
import { underTest } from './under-test.ts'

const SSE = { 'content-type': 'text/event-stream' }
const frames = (...chunks: object[]): string => chunks.map((chunk) => `data: ${JSON.stringify(chunk)}\n\n`).join('')
const DONE = 'data: [DONE]\n\n'

describe.skipIf(!redisPath)('aiSdk, for real', () => {
  let server: AiSdkServer
  let chats = 0
  beforeAll(async () => {
    server = await startAiSdk()
  })
  afterAll(() => server.close())
  const delta = (n: number) => ({ type: 'text-delta', id: 't', delta: `${n}` }) as const

  describeBackend(
    'aiSdk',
    underTest(subjects.aiSdk, async () => ({ url: server.url, job: server.job, close() {} }))
  )

  async function started(): Promise<{ id: string; chat: Awaited<ReturnType<AiSdkServer['chat']>>; done: Promise<JobEvent[]>; seen: JobEvent[] }> {
    const id = `chat-${++chats}`
    const chat = await server.chat(id)
    chat.write({ type: 'start', messageId: 'm1' })
    const seen: JobEvent[] = []
    const done = (async () => {
      for await (const event of clientOf(aiSdk(), server.url).subscribe(id)) seen.push(event)
      return seen
    })()
    await vi.waitFor(() => expect(seen).toHaveLength(1))
    return { id, chat, done, seen }
  }

  test('standard events where they are known, the others by their name', async () => {
    const { chat, done } = await started()
    chat.write({ type: 'data-progress', data: { current: 1, total: 4 }, transient: true }, { type: 'data-weather', data: 'rain' }, { type: 'start-step' })
    chat.write({ type: 'finish', finishReason: 'stop' })
    await chat.end()
    expect(brief(await done)).toEqual([
      ['started', { type: 'start', messageId: 'm1' }],
      ['progress', { current: 1, total: 4, ratio: 0.25 }],
      ['data-weather', { type: 'data-weather', data: 'rain' }],
      ['start-step', { type: 'start-step' }],
      ['succeeded', { type: 'finish', finishReason: 'stop' }]
    ])
  })

  test('transient chunks are replayed as well, so counting holds after a reload', async () => {
    const { id, chat, seen, done } = await started()
    chat.write({ type: 'data-progress', data: { ratio: 0.5 }, transient: true }, { type: 'text-start', id: 't' }, delta(1))
    await vi.waitFor(() => expect(seen).toHaveLength(4))
    const rest: JobEvent[] = []
    const over = (async () => {
      for await (const event of clientOf(aiSdk(), server.url).subscribe(id, { after: seen[2]?.id })) rest.push(event)
    })()
    await vi.waitFor(() => expect(rest).toHaveLength(1)) // the server keeps nothing of a chat that has ended
    chat.write({ type: 'finish', finishReason: 'stop' })
    await chat.end()
    await over
    expect(rest.map(({ seq, type }) => [seq, type])).toEqual([
      [4, 'output'],
      [5, 'succeeded']
    ])
    await done
  })

  test('an exception fails the job, and the [DONE] after it is no success', async () => {
    const { chat, done } = await started()
    chat.write(new Error('a secret'))
    await chat.end()
    expect(brief(await done).at(-1)).toEqual(['failed', { code: 'failed', message: 'An error occurred.' }])
  })

  test('an abort is a cancel', async () => {
    const { chat, done } = await started()
    chat.write({ type: 'abort', reason: 'stopped' })
    await chat.end()
    expect(brief(await done).at(-1)).toEqual(['cancelled', { reason: 'stopped' }])
  })

  test('a chat that has ended meanwhile ends as its document says, or by the 204', async () => {
    const { id, chat, seen } = await started()
    chat.write({ type: 'text-start', id: 't' }, delta(1), { type: 'error', errorText: 'no more' })
    await chat.end()
    await vi.waitFor(() => expect(seen.at(-1)?.type).toBe('failed'))
    const after = seen[2]?.id ?? ''
    server.messages.set(id, { state: 'failed' })
    const status = {
      request: (chat: string) => `${server.url}/${chat}`,
      read: (message: unknown): [string, unknown][] => ((message as { state: string }).state === 'failed' ? [['failed', { code: 'x', message: 'kept' }]] : []) // as: the application's own message
    }
    expect(brief(await eventsOf(aiSdk({ status }), server.url, { job: id, after }))).toEqual([['failed', { code: 'x', message: 'kept' }]])
    expect(brief(await eventsOf(aiSdk(), server.url, { job: id, after }))).toEqual([['succeeded', null]])
  })

  test('an empty 200, of an application that has not recorded the end, ends nothing', async () => {
    const id = `chat-${++chats}`
    server.stale.add(id)
    const chat = await server.chat(id)
    chat.write({ type: 'start' }, { type: 'finish' })
    await chat.end()
    const { result } = clientOf(
      aiSdk({ status: { request: () => `${server.url}/${id}`, read: (said) => ((said as { state: string }).state === 'done' ? [['succeeded', 7]] : []) } }),
      server.url
    ).subscribe(id)
    server.messages.set(id, { state: 'done' })
    await expect(result).resolves.toBe(7)
  })
})

describe('aiSdk', () => {
  test.each([
    ['[DONE] without an end', frames({ type: 'start' }) + DONE],
    ['no [DONE]', frames({ type: 'start' })],
    ['nothing at all', '']
  ])('%s was cut, and is read again from its first chunk', async (_, body) => {
    const { url, requests } = await serveAnswers([
      { headers: SSE, body },
      { headers: SSE, body: frames({ type: 'start' }, { type: 'finish' }) + DONE }
    ])
    expect((await eventsOf(aiSdk(), url)).map(({ type }) => type)).toEqual(['started', 'succeeded'])
    expect(requests.map((each) => each.url)).toEqual(['/jobs/j1/stream', '/jobs/j1/stream'])
  })

  test.each([
    [
      'an error that a finish follows',
      [
        { type: 'error', errorText: 'away' },
        { type: 'finish', finishReason: 'stop' }
      ],
      ['failed', { code: 'failed', message: 'away' }]
    ],
    ['a finish for an error', [{ type: 'finish', finishReason: 'error' }], ['failed', { code: 'failed', message: 'the model has failed' }]]
  ])('%s is a failure', async (_, chunks, end) => {
    const { url } = await serveAnswers([{ headers: SSE, body: frames(...chunks) + DONE }])
    expect(brief(await eventsOf(aiSdk(), url))).toEqual([end])
  })

  test('a recorded chat, left and resumed', async () => {
    const recorded = recording('ai-sdk')
    const { url } = await serveAnswers([
      { ...answerOf(recorded('start, reader leaves')), isCut: true },
      answerOf(recorded('resume: everything again, then the rest'))
    ])
    const events = await eventsOf(aiSdk(), url)
    expect(events.map(({ seq }) => seq)).toEqual(events.map((_, index) => index + 1))
    expect(
      brief(events)
        .filter(([type]) => type === 'output')
        .map(([, data]) => (data as { delta: string }).delta)
    ).toEqual([1, 2, 3, 4].map((n) => `piece ${n} `)) // as: recorded
    expect(events.at(-1)?.type).toBe('succeeded')
  })

  test('while the route fails, because the producer has died, the path fails', async () => {
    const { url } = await serveAnswers([{ status: 500, body: 'Timeout waiting for ack' }, { status: 204 }])
    expect(brief(await eventsOf(aiSdk(), url))).toEqual([['succeeded', null]])
  })
})

describe('workflow, by hand', () => {
  const recorded = recording('workflow')
  test('resumes at the index of the next chunk, after each body that the platform ends; [DONE] is not counted', async () => {
    const first = answerOf(recorded('start, the platform ends the body after three'))
    const { url, requests } = await serveAnswers([first, { ...first, body: DONE }, answerOf(recorded('from an index on'))])
    const events = await eventsOf(workflow(), url, { job: 'wrun_1' })
    expect(events.map(({ type }) => type)).toEqual(['started', 'text-start', 'output', 'output', 'text-end', 'succeeded'])
    expect(requests.map((each) => each.url)).toEqual(['', '?startIndex=3', '?startIndex=3'].map((query) => `/jobs/wrun_1/stream${query}`))
  })

  test('an abort or an error ends the job, without another request', async () => {
    const { url, requests } = await serveAnswers([{ headers: SSE, body: frames({ type: 'abort' }) }])
    expect(brief(await eventsOf(workflow(), url))).toEqual([['cancelled', {}]])
    expect(requests).toHaveLength(1)
  })
})
