/** fal and replicate against answers written by their documentation and clients. */

import { describe, expect, test } from 'vitest'
import { fal, replicate } from '../../src/backends.ts'
import { type Answer, brief, clientOf, eventsOf, type Served, serveAnswers } from './following.ts'
import { answerOf, recording } from './recording.ts'

const FAST = { pollMs: 2, maxPollMs: 5 }
const json = (value: unknown, status = 200): Answer => ({ status, headers: { 'content-type': 'application/json' }, body: JSON.stringify(value) })
describe('fal, by hand', () => {
  const recorded = recording('fal')
  const log = (n: number): [string, unknown] => ['log', { level: 'info', message: `step ${n} of 2` }]
  /** Serves these polls in order, and the response. */
  const served = (polls: string[], response: string): Promise<Served> => {
    const left = [...polls]
    return serveAnswers(({ url, method }) => {
      if (url.includes('/stream')) return { status: 404 }
      if (method === 'PUT') return answerOf(recorded('cancel'))
      if (url.includes('/status')) return answerOf(recorded((left.length > 1 ? left.shift() : left[0]) ?? ''))
      return answerOf(recorded(response))
    }, '/owner/app/requests')
  }
  const running = 'poll: in progress, all logs each time'
  const result = { images: [{ url: 'http://server.test/1.png' }] }

  test('the position in the queue, each line of the log once, and the response as the result', async () => {
    const { url, requests } = await served(['poll: in the queue', running, running, 'poll: completed'], 'result')
    const events = await eventsOf(fal(FAST), url, { job: 'r1' })
    expect(brief(events)).toEqual([['queued', { position: 2 }], ['started', {}], log(1), log(2), ['succeeded', result]])
    const paths = requests.map((each) => each.url)
    expect(paths[0]).toBe('/owner/app/requests/r1/status?logs=1')
    expect(paths.at(-1)).toBe('/owner/app/requests/r1')
    // After the first line.
    const again = await served([running, 'poll: completed'], 'result')
    expect(brief(await eventsOf(fal(FAST), again.url, { job: 'r1', after: events[2]?.id ?? '' }))).toEqual([log(2), ['succeeded', result]])
  })

  test.each([
    ['result: the model refused the input', 'invalid-input', '[{"loc":["body","prompt"],"msg":"field required","type":"value_error.missing"}]'],
    ['result: the runner failed', 'runner_disconnected', 'the runner is gone']
  ])('COMPLETED is no success: %s', async (response, code, message) => {
    const { url } = await served(['poll: completed'], response)
    expect(brief(await eventsOf(fal(FAST), url, { job: 'r1' })).at(-1)).toEqual(['failed', { code, message }])
  })

  test('the timeout that the caller has set fails the job, a gateway’s only the path', async () => {
    let asked = 0
    const { url } = await serveAnswers(({ url }) => {
      if (url.includes('/status')) return answerOf(recorded('poll: completed'))
      asked += 1
      return asked === 1 ? { status: 504, body: '<html>' } : json({ detail: 'Request timed out' }, 504)
    })
    expect(brief(await eventsOf(fal(FAST), url)).at(-1)).toEqual(['failed', { code: 'failed', message: 'Request timed out' }])
    expect(asked).toBe(2)
  })

  test('a line of the log may have no level', async () => {
    const logs = [{ message: 'a', level: null }, { message: 'b', level: 'WARN' }, { message: 'c' }]
    const { url } = await serveAnswers(({ url }) =>
      url.includes('/stream') ? { status: 404 } : json(url.includes('/status') ? { status: 'COMPLETED', logs } : 1)
    )
    expect(brief(await eventsOf(fal(FAST), url)).map(([, data]) => (data as { level?: string } | null)?.level)).toEqual([
      undefined,
      'info',
      'warn',
      'info',
      undefined
    ]) // as: `log` has it
  })

  test('cancel is a PUT', async () => {
    const { url, requests } = await served(['poll: in the queue'], 'result')
    await clientOf(fal(FAST), url).subscribe('r1').cancel()
    expect(requests).toMatchObject([{ method: 'PUT', url: '/owner/app/requests/r1/cancel' }])
  })

  test('a message of its stream shortens the pause', async () => {
    let isOver = false
    const { url } = await serveAnswers(({ url }) => {
      if (url.includes('/stream')) {
        isOver = true
        return answerOf(recorded('stream: only new logs'))
      }
      return url.includes('/status') ? answerOf(recorded(isOver ? 'poll: completed' : 'poll: in the queue')) : answerOf(recorded('result'))
    })
    const since = performance.now()
    expect((await eventsOf(fal({ pollMs: 60_000, maxPollMs: 60_000 }), url)).map(({ type }) => type)).toEqual(['queued', 'started', 'log', 'log', 'succeeded'])
    expect(performance.now() - since).toBeLessThan(20_000)
  })
})

describe('replicate, by hand', () => {
  const recorded = recording('replicate')
  const served = (...names: string[]): Promise<Served> => serveAnswers(names.map((name) => answerOf(recorded(name))))
  const log = (message: string): [string, unknown] => ['log', { level: 'info', message }]
  const lines = [log('loading'), log(' 40%|####      | 2/5'), log(' 80%|########  | 4/5')]
  const progress = (logs: string): unknown => ({ ratio: Number(/(\d+)%[^%]*$/.exec(logs)?.[1] ?? 0) / 100 })

  test('each new line, the progress in it, each output, and the result', async () => {
    const { url } = await served('starting', 'processing', 'processing', 'processing, the log has grown', 'succeeded')
    expect(brief(await eventsOf(replicate({ ...FAST, progress }), url))).toEqual([
      ['queued', {}],
      ['started', {}],
      ...lines.slice(0, 2),
      ['progress', { ratio: 0.4 }],
      ...lines.slice(2),
      ['progress', { ratio: 0.8 }],
      ['output', 'http://server.test/1.png'],
      ['succeeded', ['http://server.test/1.png']]
    ])
  })

  test.each([
    ['failed', ['failed', { code: 'failed', message: 'out of memory' }]],
    ['canceled', ['cancelled', {}]],
    ['aborted', ['cancelled', {}]]
  ])('%s', async (name, end) => {
    expect(brief(await eventsOf(replicate(FAST), (await served(name)).url)).at(-1)).toEqual(end)
  })

  test.each([
    [{ output: [1] }, ['succeeded', [1]]],
    [{ error: 'away' }, ['failed', { code: 'failed', message: 'away' }]],
    [{}, ['cancelled', {}]]
  ])('a status that is not known, with a time of completion: %j', async (more, end) => {
    const { url } = await serveAnswers([json({ status: 'brandnew' }), json({ status: 'brandnew', completed_at: 'now', ...more })])
    expect(brief(await eventsOf(replicate(FAST), url)).at(-1)).toEqual(end)
  })

  test('an unfinished line is delivered once it is complete', async () => {
    const { url } = await serveAnswers([json({ status: 'processing', logs: 'one\r\ntw' }), json({ status: 'succeeded', logs: 'one\r\ntwo', output: 1 })])
    expect(brief(await eventsOf(replicate(FAST), url))).toEqual([['started', {}], log('one'), log('two'), ['succeeded', 1]])
  })

  test('two equal lines are two events', async () => {
    const { url } = await serveAnswers([json({ status: 'processing', logs: 'a\n' }), json({ status: 'succeeded', logs: 'a\na\n', output: 1 })])
    expect(brief(await eventsOf(replicate(FAST), url))).toEqual([['started', {}], log('a'), log('a'), ['succeeded', 1]])
  })
})
