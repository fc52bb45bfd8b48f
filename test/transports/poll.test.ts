import { afterEach, beforeEach, describe, expect, it, onTestFinished, vi } from 'vitest'
import { longPoll, shortPoll } from '../../src/transports/poll.ts'
import type { Transport } from '../../src/types.ts'
import { type Asked, openReader, type Reader } from './reader.ts'
import { bodyOf, reading, type ScriptedFetch, scriptFetch } from './scripted-fetch.ts'

const base = new URL('http://localhost/jobs')
const page = (status: number): Response => new Response('<p>', { status, headers: { 'content-type': 'text/html' } })
const waits = ({ asked }: ScriptedFetch): (string | null)[] => asked.map(({ url }) => url.searchParams.get('wait'))

beforeEach(() => void vi.useFakeTimers())
afterEach(() => void vi.useRealTimers())

function open(transport: Transport, script: ScriptedFetch, jobs?: readonly Asked[]): Reader {
  const reader = openReader(transport, base, jobs, { fetch: script.fetch })
  onTestFinished(() => reader.abort())
  return reader
}

/** Goes on reading in the background. */
function follow(reader: Reader): Promise<unknown> {
  const end = reader.toEnd().catch((error) => error)
  return end
}

describe('a long poll', () => {
  it('asks without a wait first, then with longer and longer ones up to the heartbeat, from cursor to cursor', async () => {
    const script = scriptFetch(reading(0, 2), reading(2, 3), reading(3, 4), reading(4, 5), reading(5, 6))
    follow(open(longPoll(), script))
    await vi.waitFor(() => expect(waits(script)).toEqual([null, '2', '4', '8', '15', '15']))
    expect(script.asked.map(({ headers }) => headers.get('last-event-id'))).toEqual([null, 'e-2', 'e-3', 'e-4', 'e-5', 'e-6'])
  })

  it.each([
    [500, '1'],
    [2900, '3'],
    [600_000, '55']
  ])('with a heartbeat of %d ms waits %s s at most', async (heartbeatMs, wait) => {
    const script = scriptFetch(...Array.from({ length: 8 }, (_, index) => reading(index, index + 1, { heartbeatMs })))
    follow(open(longPoll(), script))
    await vi.waitFor(() => expect(waits(script).at(-1)).toBe(wait))
    await vi.waitFor(() => expect(script.asked).toHaveLength(9))
    expect(Math.max(...waits(script).map(Number))).toBe(Number(wait))
  })

  it('where no answer comes 2.5 s after the wait is over, the path swallows what is held', async () => {
    const script = scriptFetch(reading(0, 1), reading(1, 2), 'hang', 'hang')
    const end = follow(open(longPoll(), script))
    await vi.advanceTimersByTimeAsync(6499)
    expect(waits(script)).toEqual([null, '2', '4'])
    await vi.advanceTimersByTimeAsync(1)
    expect(waits(script)).toEqual([null, '2', '4', '2'])
    await vi.advanceTimersByTimeAsync(4500)
    expect(await end).toMatchObject({ reason: 'silent' })
    expect(vi.getTimerCount()).toBe(0)
  })

  it('nor comes the limit down on an answer that has waited through a sleep of the machine', async () => {
    const late = Promise.withResolvers<Response>()
    const script = scriptFetch(reading(0, 1), late.promise, 'hang')
    const end = follow(open(longPoll(), script))
    await vi.advanceTimersByTimeAsync(0)
    const before = performance.now()
    // When the machine wakes, timer and answer are due together.
    const clock = vi.spyOn(performance, 'now').mockImplementation(() => before + 60_000)
    await vi.advanceTimersByTimeAsync(4500)
    late.resolve(reading(1, 2))
    await vi.advanceTimersByTimeAsync(0)
    clock.mockRestore()
    expect(waits(script)).toEqual([null, '2', '4'])
    await vi.advanceTimersByTimeAsync(60_000)
    expect(await end).toMatchObject({ reason: 'silent' })
  })

  it('a long body is no silence', async () => {
    const text = await reading(1, 3).text()
    let rest: ReadableStreamDefaultController<Uint8Array> | undefined
    const slow = new ReadableStream({
      start(controller) {
        controller.enqueue(new TextEncoder().encode(text.slice(0, 20)))
        rest = controller
      }
    })
    const script = scriptFetch(reading(0, 1), new Response(slow, { headers: { 'content-type': 'application/json' } }))
    const reader = open(longPoll(), script)
    const end = follow(reader)
    await vi.advanceTimersByTimeAsync(10_000)
    rest?.enqueue(new TextEncoder().encode(text.slice(20)))
    rest?.close()
    await vi.waitFor(() => expect(reader.events).toHaveLength(3))
    reader.abort()
    await end
  })

  it('asks on at once, without a wait, while there is more', async () => {
    const script = scriptFetch(reading(0, 2, { more: true }), reading(2, 4, { more: true }), reading(4, 5))
    follow(open(longPoll(), script))
    await vi.waitFor(() => expect(waits(script)).toEqual([null, null, null, '2']))
  })

  it('halves its wait at each 408, 504 or break, does not raise it again, and below 2 s has failed', async () => {
    const broken = new Response(bodyOf(['{"proto'], new TypeError('terminated')), { headers: { 'content-type': 'application/json' } })
    const untilLong = [reading(0, 1), reading(1, 2), reading(2, 3), reading(3, 4)]
    const script = scriptFetch(...untilLong, page(504), reading(4, 5), broken, page(408))
    const end = follow(open(longPoll(), script))
    expect(await end).toMatchObject({ reason: 'status', status: 408 })
    expect(waits(script)).toEqual([null, '2', '4', '8', '15', '7', '7', '3'])
  })

  it.each([
    ['a 504', () => page(504), { reason: 'status', status: 504 }],
    ['no answer', () => new TypeError('Failed to fetch'), { reason: 'network' }]
  ])('fails at once with %s before it is proved', async (_, answer, failure) => {
    const script = scriptFetch(answer())
    expect(await follow(open(longPoll(), script))).toMatchObject(failure)
    expect(script.asked).toHaveLength(1)
  })

  it.each([
    ['a page', () => page(403), { reason: 'status', status: 403 }],
    ['what is no answer', () => Response.json([]), { reason: 'protocol' }]
  ])('does not put %s down to its wait', async (_, answer, failure) => {
    const script = scriptFetch(reading(0, 1), answer())
    expect(await follow(open(longPoll(), script))).toMatchObject(failure)
    expect(script.asked).toHaveLength(2)
  })

  it('takes a wait of 1 s where the heartbeat is one, and fails when even that is cut', async () => {
    const script = scriptFetch(reading(0, 1, { heartbeatMs: 1000 }), page(504))
    expect(await follow(open(longPoll(), script))).toMatchObject({ status: 504 })
    expect(waits(script)).toEqual([null, '1'])
  })

  it('asks a server that ignores the wait no more often than a short poll would', async () => {
    const script = scriptFetch(reading(0, 1), ...Array.from({ length: 50 }, () => reading(1)))
    follow(open(longPoll(), script))
    await vi.advanceTimersByTimeAsync(9000)
    expect(script.asked).toHaveLength(2 + 4)
  })
})

describe('a short poll', () => {
  it.each([
    ['as long as the server says', { pollMs: 700 }, 700],
    ['2 s where it says nothing', { pollMs: undefined as never }, 2000], // as: the answer then has no such field
    ['never longer than a heartbeat', { pollMs: 60_000, heartbeatMs: 5000 }, 5000]
  ])('pauses %s', async (_, fields, pauseMs) => {
    const script = scriptFetch(reading(0, 1, fields))
    follow(open(shortPoll(), script))
    await vi.advanceTimersByTimeAsync(pauseMs - 1)
    expect(script.asked).toHaveLength(1)
    await vi.advanceTimersByTimeAsync(1)
    expect(waits(script)).toEqual([null, null])
  })

  it('asks afresh once a heartbeat has brought nothing: a cache may repeat the same empty answer for ever', async () => {
    const script = scriptFetch(reading(0, 1), ...Array.from({ length: 20 }, () => reading(1)))
    follow(open(shortPoll(), script))
    await vi.advanceTimersByTimeAsync(39_000)
    const fresh = script.asked.flatMap(({ url }, index) => (url.searchParams.has('fresh') ? [index * 2] : []))
    expect(fresh).toEqual([16, 32])
    expect(script.asked[8]?.url.searchParams.get('after')).toBe('e-1')
    expect(script.asked[8]?.headers.get('last-event-id')).toBe('e-1')
  })

  it('takes the pause back when it is aborted', async () => {
    const reader = open(shortPoll(), scriptFetch(reading(0, 1)))
    const end = follow(reader)
    await vi.waitFor(() => expect(vi.getTimerCount()).toBe(1))
    reader.abort(new Error('enough'))
    expect(await end).toEqual(new Error('enough'))
    expect(vi.getTimerCount()).toBe(0)
  })
})

describe.each([longPoll, shortPoll])('either poll (%o)', (make) => {
  it('goes on with the others when one job has ended or failed, and ends with the last', async () => {
    const jobs = [
      { job: '42', epoch: 'e', seq: 0, from: 'e-0', cursor: 'e-0', status: 'running', done: false },
      { job: 'gone', error: { status: 410, code: 'history-gone', message: 'gone' } },
      { job: 'over', epoch: 'o', seq: 9, from: 'o-9', cursor: 'o-9', status: 'failed', done: true }
    ] as const
    const script = scriptFetch(reading(0, 0, { jobs: [...jobs], more: true }), reading(0, 1, { done: true }))
    const reader = await open(make(), script, [{ job: '42' }, { job: 'gone' }, { job: 'over', after: 'o-9' }]).toEnd()
    expect(script.asked.map(({ url }) => url.pathname + url.search)).toEqual([
      '/jobs/events?job=42&after=&job=gone&after=&job=over&after=o-9',
      '/jobs/42/events?after=e-0'
    ])
    expect(script.asked[1]?.headers.get('last-event-id')).toBe('e-0')
    expect(reader.had).toMatchObject([
      { control: 'hello' },
      { control: 'subscribed', job: '42' },
      { control: 'subscribed', job: 'over' },
      { control: 'error', job: 'gone', status: 410 },
      { control: 'done', job: 'over', cursor: 'o-9' },
      { control: 'hello' },
      { control: 'subscribed', job: '42' },
      { seq: 1 },
      { control: 'done', job: '42', cursor: 'e-1' }
    ])
  })

  it('tells that bytes come while a long body arrives', async () => {
    const text = await reading(0, 3).text()
    const pieces = [text.slice(0, 10), text.slice(10, 100), text.slice(100)]
    const { frames } = open(make(), scriptFetch(new Response(bodyOf(pieces), { headers: { 'content-type': 'application/json' } })))
    for (const _ of pieces) expect(await frames.next()).toMatchObject({ done: false, value: { length: 0 } })
    expect((await frames.next()).value).toHaveLength(5)
  })
})

it.each([longPoll, shortPoll])('asks by itself, which its owner has to know (%o)', (make) => {
  expect(make().traits).toEqual({ polls: make === longPoll ? 'long' : 'short' })
})

it.each([longPoll(), shortPoll()])('$name does not ask on for what is promised and never brought', async (transport) => {
  const script = scriptFetch(reading(0, 0, { more: true }), reading(0, 0, { more: true }))
  await expect(open(transport, script).toEnd()).rejects.toMatchObject({ reason: 'protocol' })
  expect(script.asked).toHaveLength(1)
})
