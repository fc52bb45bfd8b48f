/** openaiResponses against answers written by OpenAI's documentation and SDK. */

import { afterEach, describe, expect, test, vi } from 'vitest'
import { openaiResponses } from '../../src/backends.ts'
import { brief, clientOf, eventsOf, serveAnswers } from './following.ts'
import { answerOf, recording } from './recording.ts'

const openai = recording('openai-responses')
const started = { ...answerOf(openai('start, cut after number 3')), isCut: true }
const polled = (name: string) => answerOf(openai(`poll: ${name}`))
const refused = answerOf(openai('resume after five minutes'))

afterEach(() => void vi.useRealTimers())

const frame = (type: string, number: number, more: object): string => `event: ${type}\ndata: ${JSON.stringify({ type, sequence_number: number, ...more })}\n\n`

describe('by hand', () => {
  test('a stream that was cut resumes after its number', async () => {
    const { url, requests } = await serveAnswers(({ url }) =>
      url === '/jobs/resp_1?stream=true' ? started : url === '/jobs/resp_1' ? polled('in progress') : answerOf(openai('resume'))
    )
    const events = await eventsOf(openaiResponses(), url, { job: 'resp_1' })
    expect(events.map(({ type }) => type)).toEqual(['queued', 'queued', 'started', 'output', 'output', 'succeeded'])
    expect(events.at(-1)?.data).toMatchObject({ id: 'resp_1', status: 'completed' })
    expect(requests.at(-1)?.url).toBe('/jobs/resp_1?stream=true&starting_after=3')
  })

  test.each([
    ['completed', ['succeeded', expect.objectContaining({ status: 'completed' })]],
    ['failed', ['failed', { code: 'server_error', message: 'the model is away' }]],
    ['incomplete', ['failed', { code: 'max_output_tokens', message: 'the response is incomplete' }]]
  ])('a response older than five minutes is polled, without a failure, to %s', async (name, end) => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'performance', 'Date'], shouldAdvanceTime: true, advanceTimeDelta: 200 })
    let polls = 0
    const { url, requests } = await serveAnswers(({ url }) => (url.includes('stream') ? refused : ++polls < 3 ? polled('in progress') : polled(name)))
    const lost: unknown[] = []
    const events = await eventsOf(openaiResponses(), url, {
      job: 'resp_1',
      after: '6.0.4',
      onDiagnostic: (each) => (each.type === 'lost' || each.type === 'probe-failed') && lost.push(each)
    })
    expect(brief(events)).toEqual([end])
    expect(events[0]?.seq).toBe(7)
    expect(lost).toEqual([])
    expect(requests.filter((each) => each.url.includes('stream'))).toHaveLength(1)
  })

  test('the document says that a response was cancelled, since its stream just ends', async () => {
    const { url } = await serveAnswers(({ url }) =>
      url.includes('stream') ? answerOf(openai('a stream of one that is cancelled ends without a word')) : answerOf(openai('cancel'))
    )
    expect(brief(await eventsOf(openaiResponses(), url, { job: 'resp_1' })).at(-1)).toEqual(['cancelled', {}])
  })

  test('an error in the stream fails the job', async () => {
    const { url } = await serveAnswers([answerOf(openai('an error in the stream'))])
    expect(brief(await eventsOf(openaiResponses(), url)).at(-1)).toEqual(['failed', { code: 'server_error', message: 'the model is away' }])
  })

  test('frames need no name: a proxy that writes each event as data keeps its type', async () => {
    const { url } = await serveAnswers([
      {
        ...started,
        body: [openai('start, cut after number 3'), openai('resume')].flatMap(({ response: { body } }) =>
          body.map(({ text }) => (text ?? '').replace(/^event: .*\n/gm, ''))
        )
      }
    ])
    expect((await eventsOf(openaiResponses(), url)).map(({ type }) => type)).toEqual(['queued', 'queued', 'started', 'output', 'output', 'succeeded'])
  })

  test('a missing number is a gap', async () => {
    const headers = { 'content-type': 'text/event-stream' }
    const { url } = await serveAnswers([
      { headers, body: frame('response.output_text.delta', 9, {}) + frame('response.completed', 10, { response: { status: 'completed' } }) }
    ])
    expect((await eventsOf(openaiResponses(), url, { after: '4.0.3' })).map(({ type }) => type)).toEqual(['gap', 'output', 'succeeded'])
  })

  test('cancel; a response that has expired is unknown', async () => {
    const { url, requests } = await serveAnswers(({ method }) => (method === 'POST' ? answerOf(openai('cancel')) : { status: 404, body: '{"error":{}}' }))
    await clientOf(openaiResponses(), url).subscribe('resp_1').cancel()
    expect(requests).toMatchObject([{ method: 'POST', url: '/jobs/resp_1/cancel' }])
    await expect(eventsOf(openaiResponses(), url, { unknownJobGraceMs: 0 })).rejects.toMatchObject({ code: 'unknown-job' })
  })
})
