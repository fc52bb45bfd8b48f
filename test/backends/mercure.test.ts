/** mercure against answers of both versions, written by the specification. The contract has a hub like that: neither npm nor Debian has one. */

import { describe, expect, test } from 'vitest'
import { mercure } from '../../src/backends.ts'
import { brief, clientOf, eventsOf, serveAnswers } from './following.ts'
import { answerOf, recording } from './recording.ts'

const names = [
  ['topic', 'lastEventID', 'last-event-id'],
  ['match', 'last_event_id', 'mercure-last-event-id']
] as const

describe.each([0, 1] as const)('%d', (version) => {
  const [match, cursor, header] = names[version]
  test('the first request asks for the whole history, but not from the tail', async () => {
    const { url, requests } = await serveAnswers([{ headers: { 'content-type': 'text/event-stream' }, body: 'event: succeeded\ndata: 1\n\n' }])
    const backend = mercure({ version, topic: (job) => `https://jobs.test/${job}` })
    expect(brief(await eventsOf(backend, url, { job: '42' }))).toEqual([['succeeded', 1]])
    await eventsOf(backend, url, { job: '42', after: 'tail' })
    const asked = `/jobs?${match}=https%3A%2F%2Fjobs.test%2F42`
    expect(requests.map((each) => each.url)).toEqual([`${asked}&${cursor}=earliest`, asked])
  })

  test('an answer that does not begin after the cursor is a gap', async () => {
    const { url } = await serveAnswers([{ headers: { 'content-type': 'text/event-stream', [header]: 'urn:uuid:7' }, body: 'event: succeeded\ndata: 1\n\n' }])
    expect(brief(await eventsOf(mercure({ version }), url, { after: '3.0.urn:uuid:3' }))).toEqual([
      ['gap', { missed: undefined, reason: 'epoch' }],
      ['succeeded', 1]
    ])
    expect(brief(await eventsOf(mercure({ version }), url, { after: '7.0.urn:uuid:7' }))).toEqual([['succeeded', 1]])
  })
})

describe('mercure, by hand', () => {
  const recorded = recording('mercure')

  test('from the oldest update, cut by the hub, resumed, and with a cursor that is no longer retained', async () => {
    const { url, requests } = await serveAnswers([
      { ...answerOf(recorded('from the oldest')), isCut: true },
      { ...answerOf(recorded('resumed from a cursor that the hub has no more')), isCut: true },
      { headers: { 'content-type': 'text/event-stream' }, body: ':\n\nevent: failed\nid: urn:uuid:9\ndata: {"code":"x","message":"y"}\n\n' }
    ])
    const events = await eventsOf(mercure(), url)
    expect(brief(events)).toEqual([
      ['progress', { ratio: 0.2 }],
      ['progress', { ratio: 0.4 }],
      ['gap', { missed: undefined, reason: 'epoch' }],
      ['progress', { ratio: 0.4 }],
      ['failed', { code: 'x', message: 'y' }]
    ])
    expect(requests[1]?.url).toContain('last_event_id=urn%3Auuid%3A00000000-0000-4000-8000-000000000002')
  })

  test.each([
    ['no token', 'unauthorized'],
    ['a token without the topic', 'forbidden']
  ])('%s', async (name, code) => {
    const { url } = await serveAnswers([answerOf(recorded(name))])
    const { result } = clientOf(mercure(), url, { token: 't', retry: { attempts: 2, baseMs: 1, maxMs: 2 } }).subscribe('1')
    await expect(result).rejects.toMatchObject({ code })
  })

  test('an end of the application’s own, and a status document', async () => {
    const { url } = await serveAnswers([{ headers: { 'content-type': 'text/event-stream' }, body: 'event: finished\ndata: 7\n\n' }])
    expect(brief(await eventsOf(mercure({ end: { event: 'finished' } }), url))).toEqual([['succeeded', 7]])
    const beside = await serveAnswers(({ url }) =>
      url === '/status' ? { headers: { 'content-type': 'application/json' }, body: '{}' } : { headers: { 'content-type': 'text/event-stream' }, body: ':\n\n' }
    )
    const status = { request: () => '/status', read: (): [string, unknown][] => [['succeeded', 8]] }
    expect(brief(await eventsOf(mercure({ status }), beside.url))).toEqual([['succeeded', 8]])
  })
})
