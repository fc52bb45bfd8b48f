/** What a connection does with what its links bring: who gets it, and what a refusal means to one job, or to all. */

import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { macrotask } from '../../src/async/clock.ts'
import type { Credentials } from '../../src/credentials.ts'
import { TAIL } from '../../src/protocol/rules.ts'
import { event, record, subscribed } from '../delivery/recorder.ts'
import { carry, error, hello, pass, type Stage } from './stage.ts'

beforeEach(() => {
  vi.useFakeTimers()
})
afterEach(() => {
  expect(vi.getTimerCount()).toBe(0)
  vi.restoreAllMocks()
  vi.useRealTimers()
})

/** The jobs of each single read. */
const jobsRead = ({ reads }: Stage): string[][] => reads.map(({ request }) => request.jobs.map(({ job }) => job))
const isOpen = (stage: Stage, transport?: string): boolean => !stage.wire(transport).request.signal.aborted

describe('a link', () => {
  test('asks for what is wanted, with headers of its own', async () => {
    const headers = new Headers({ 'x-own': 'yes' })
    const stage = await carry([record('1', 'a-4')], { authorize: async () => ({ headers, token: 'secret' }) })
    const { request } = stage.wire()
    expect(request).toMatchObject({
      jobs: [{ job: '1', ref: 1, after: 'a-4' }],
      token: 'secret',
      credentials: 'same-origin',
      isFresh: false,
      windowBytes: 2 ** 24
    })
    expect(request.headers.get('x-own')).toBe('yes')
    expect(request.headers).not.toBe(headers) // each transport gets a copy, because it may add headers
    await stage.close()
  })

  test('hands each frame to whom it belongs', async () => {
    const one = record('1')
    const stage = await carry([one])
    await stage.push(hello, subscribed('1', 'a', 0), event('1', 'a', 1), { control: 'heartbeat' }, { control: 'pong' })
    expect(stage.said.map(({ type }) => type)).toEqual(['probe-started', 'probe-proved', 'live'])
    expect(stage.muxes).toEqual([128])
    expect(one.heard).toEqual(['running', 'a-1'])
    expect(stage.state).toMatchObject({ phase: 'live', transport: 'sse' })
    await stage.close()
    expect(stage.has('lost')).toBe(false)
  })

  test('to a server that names no mux carries one job', async () => {
    const stage = await carry([record('1')])
    await stage.push({ control: 'hello', protocol: 1 })
    expect(stage.muxes).toEqual([1])
    await stage.close()
  })

  test('tells the end of a job before it is delivered', async () => {
    const one = record('1')
    const stage = await carry([one])
    const told: string[] = []
    vi.spyOn(one, 'event').mockImplementation(({ type }) => void told.push(stage.has('ended') ? `${type} after its end was told` : type))
    await stage.push(subscribed('1', 'a', 0), event('1', 'a', 1), event('1', 'a', 2, 'cancelled'))
    expect(told).toEqual(['progress', 'cancelled after its end was told'])
    expect(stage.said.filter(({ type }) => type === 'ended')).toEqual([{ type: 'ended', job: '1', status: 'cancelled', transport: undefined }])
    await stage.close()
  })

  test('tells done to those who are still there', async () => {
    const [one, gone] = [record('1'), record('1')]
    const stage = await carry([one, gone])
    await stage.push(subscribed('1', 'a', 0))
    stage.connection.remove(gone)
    await stage.push({ control: 'done', job: '1', cursor: 'a-0' })
    expect([one.heard, gone.heard]).toEqual([['running', 'done'], ['running']])
    stage.connection.remove(one)
    stage.wire().push([subscribed('1', 'a', 0), event('1', 'a', 1, 'succeeded')])
    await pass(0)
    expect(one.heard).toEqual(['running', 'done'])
    expect(stage.has('ended')).toBe(false)
    await stage.close()
  })

  test('ends where the protocol is broken', async () => {
    const stage = await carry([record('1')])
    await stage.push(hello, subscribed('1', 'a', 0), event('1', 'a', 2))
    expect(stage.said).toContainEqual(expect.objectContaining({ type: 'lost', transport: 'sse', reason: 'protocol', events: 0 }))
    expect(stage.state?.problem).toEqual({ transport: 'sse', reason: 'protocol', status: undefined, message: 'event a-2 of job 1: expected seq 1, got 2' })
    await stage.close()
  })

  test('is not proved by an error', async () => {
    const stage = await carry([record('1'), record('2')])
    await stage.push(error(403, '1'))
    expect(stage.has('probe-proved')).toBe(false)
    expect(stage.state?.phase).toBe('connecting')
    await stage.close()
  })

  test('is told to open its window to what a slow reader has room for, where it reads once for that one', async () => {
    const one = record('1')
    const stage = await carry([one])
    await stage.push(hello, subscribed('1', 'a', 0))
    one.room = 1_000_000
    one.setMode('paging')
    await pass(0)
    expect(stage.wire('read-once').request).toMatchObject({ windowBytes: 2 ** 19, jobs: [{ job: '1', after: 'a-0' }] })
    await stage.close()
  })
})

describe('of a link and a single read of the same jobs', () => {
  const history = [subscribed('1', 'a', 0), event('1', 'a', 1), event('1', 'a', 2)]

  test('the link rests until the read has ended where it repeats it', async () => {
    const one = record('1')
    const stage = await carry([one], { firstLook: true })
    stage.wire('read-once').push([hello, ...history])
    await pass(0)
    stage.wire('sse').push([hello, ...history])
    await pass(0)
    const { pulls } = stage.wire('sse')
    for (let seq = 3; seq < 100; seq += 1) {
      await pass(400)
      stage.wire('read-once').push([event('1', 'a', seq)])
    }
    await pass(0)
    expect(stage.wire('sse').pulls).toBe(pulls)
    stage.wire('read-once').end()
    await pass(0)
    expect(stage.wire('sse').pulls).toBe(pulls + 1)
    expect(one.heard.filter((each) => each.startsWith('a-'))).toHaveLength(99)
    expect(stage.has('suspected')).toBe(false)
    await stage.close()
  })

  test('the link is read on all the same where the read brings nothing for long', async () => {
    const stage = await carry([record('1')], { firstLook: true })
    stage.wire('read-once').push([hello, ...history])
    await pass(0)
    stage.wire('sse').push([hello, ...history])
    await pass(0)
    const { pulls } = stage.wire('sse')
    await pass(500)
    expect(stage.wire('sse').pulls).toBe(pulls + 1)
    await stage.close()
  })
})

describe('a reader that is full', () => {
  /** The reader of job 1 has taken an event and is full. */
  async function full(): Promise<{ stage: Stage; one: ReturnType<typeof record> }> {
    const one = record('1')
    const stage = await carry([one, record('2')])
    await stage.push(hello, subscribed('1', 'a', 0), subscribed('2', 'b', 0))
    one.room = 0
    stage.wire().push([event('1', 'a', 1)])
    for (let ticks = 0; ticks < 100; ticks += 1) await Promise.resolve()
    expect(one.heard.at(-1)).toBe('a-1')
    return { stage, one }
  }

  test('has a task’s time to take what it has', async () => {
    const { stage, one } = await full()
    expect(one.mode).toBe('link')
    for (let tasks = 0; tasks < 2; tasks += 1) await macrotask()
    expect(one.mode).toBe('paused')
    expect(stage.has('paused')).toBe(true)
    await stage.close()
  })

  test('and goes on where it has taken it by then', async () => {
    const { stage, one } = await full()
    one.room = 100
    for (let tasks = 0; tasks < 2; tasks += 1) await macrotask()
    expect(one.mode).toBe('link')
    await stage.close()
  })

  test('is let go before that where more comes meanwhile', async () => {
    const { stage, one } = await full()
    stage.wire().push([{ control: 'heartbeat' }])
    for (let ticks = 0; ticks < 100; ticks += 1) await Promise.resolve()
    expect(one.mode).toBe('paused')
    stage.wire().push([event('1', 'a', 2)])
    for (let ticks = 0; ticks < 100; ticks += 1) await Promise.resolve()
    expect(one.heard.at(-1)).toBe('a-1')
    await stage.close()
  })

  test('is let go once', async () => {
    const { stage, one } = await full()
    stage.wire().push([{ control: 'heartbeat' }])
    for (let tasks = 0; tasks < 3; tasks += 1) await macrotask()
    expect(one.mode).toBe('paused')
    expect(stage.said.filter(({ type }) => type === 'paused')).toHaveLength(1)
    await stage.close()
  })
})

describe('an error for one job', () => {
  test.each([
    [400, 'bad-request'],
    [403, 'forbidden'],
    [410, 'history-gone'],
    [422, 'bad-request']
  ])('%d fails its readers as %s, the others go on', async (status, code) => {
    const [one, second, two] = [record('1'), record('1'), record('2')]
    const stage = await carry([one, second, two])
    await stage.push(hello, error(status, '1'))
    expect([...stage.failed.keys()]).toEqual([one, second])
    expect(stage.failed.get(one)).toMatchObject({ code, status, message: `job 1: the server said ${status} some-code: says why` })
    await stage.push(subscribed('2', 'a', 0), event('2', 'a', 1))
    expect(two.heard).toEqual(['running', 'a-1'])
    expect(stage.opened).toHaveLength(1)
    await stage.close()
  })

  test('401 that can’t be mended fails all', async () => {
    const [one, two] = [record('1'), record('2')]
    const stage = await carry([one, two])
    await stage.push(error(401, '1'))
    for (const reader of [one, two])
      expect(stage.failed.get(reader)).toMatchObject({ code: 'unauthorized', message: 'job 1: the server said 401 some-code: says why' })
    await stage.close()
  })

  test.each([429, 503])('%d holds it for as long as the server says', async (status) => {
    vi.spyOn(Math, 'random').mockReturnValue(0)
    const [one, two] = [record('1'), record('2')]
    const stage = await carry([one, two])
    await stage.push({ ...hello, heartbeatMs: 60_000 }, subscribed('2', 'a', 0), error(status, '1', 7000))
    await pass(6999)
    expect(jobsRead(stage)).toEqual([])
    await pass(1)
    expect(jobsRead(stage)).toEqual([['1']])
    expect(stage.failed.size).toBe(0)
    await stage.close()
  })

  test('said of a job that a slow reader is behind with, by a read for that one alone, is of the job all the same', async () => {
    const one = record('1')
    const stage = await carry([one])
    await stage.push(hello, subscribed('1', 'a', 0))
    one.setMode('paging')
    await pass(0)
    stage.wire('read-once').push([error(403, '1')])
    await pass(0)
    expect(stage.failed.get(one)).toMatchObject({ code: 'forbidden' })
    await stage.close()
  })
})

describe('a job that the server doesn’t know', () => {
  test('is asked for again, each time after twice as long, until the grace is over', async () => {
    const one = record('1')
    const stage = await carry([one])
    const began = Date.now()
    const askedAt: number[] = []
    await stage.push(error(404, '1'))
    expect(stage.state).toMatchObject({ phase: 'waiting', retryAt: expect.any(Number) })
    while (!stage.failed.size) {
      const asked = stage.reads.length
      await vi.advanceTimersToNextTimerAsync()
      if (stage.reads.length === asked) continue
      askedAt.push(Date.now() - began)
      stage.wire('read-once').push(error(404, '1'))
      stage.wire('read-once').end()
      await pass(0)
    }
    expect(askedAt).toEqual([250, 750, 1750, 3750, 5000])
    expect(stage.failed.get(one)).toMatchObject({ code: 'unknown-job', status: 404 })
    await stage.close()
  })

  test('goes back to links where the path by which it is asked for again fails', async () => {
    const stage = await carry([record('1')])
    await stage.push(error(404, '1'))
    expect(stage.state?.phase).toBe('waiting')
    await pass(250)
    const links = stage.opened.length
    stage.wire('read-once').end(new TypeError('Failed to fetch'))
    await pass(0)
    expect(stage.state?.phase).toBe('connecting')
    expect(stage.opened.slice(links).map(({ transport, request }) => [transport, request.jobs])).toEqual([['sse', [{ job: '1', ref: 1 }]]])
    await stage.close()
  })

  test('has lost its history where it was asked for after a cursor', async () => {
    const one = record('1', 'a-7')
    const stage = await carry([one])
    await stage.push(error(404, '1'))
    expect(stage.failed.get(one)).toMatchObject({ code: 'history-gone', status: 404 })
    await stage.close()
  })

  test('may come yet where it was asked for as tail', async () => {
    const stage = await carry([record('1', TAIL)])
    await stage.push(error(404, '1'))
    expect(stage.failed.size).toBe(0)
    expect(stage.state?.phase).toBe('waiting')
    await stage.close()
  })

  test('but is read on another path goes on there, even if only one of its readers has a place in it', async () => {
    const [one, second] = [record('1'), record('1')]
    second.position = { epoch: 'a', seq: 1, cursor: 'a-1', left: [] }
    const stage = await carry([one, second])
    await stage.push(error(404, '1'))
    expect(stage.failed.size).toBe(0)
    expect(stage.state?.phase).not.toBe('waiting')
    await stage.close()
  })

  test('may be one of several', async () => {
    const [one, two] = [record('1'), record('2')]
    const stage = await carry([one, two])
    await stage.push(hello, error(404, '2'), subscribed('1', 'a', 0), event('1', 'a', 1))
    expect(one.heard).toEqual(['running', 'a-1'])
    expect(stage.state?.phase).toBe('live')
    await pass(250)
    expect(jobsRead(stage)).toEqual([['2']])
    await stage.close()
  })

  test('told so by the first read and by a link at once is asked for again once, and not later', async () => {
    const stage = await carry([record('1')], { firstLook: true })
    expect(jobsRead(stage)).toEqual([['1']])
    for (const transport of ['read-once', 'sse']) {
      stage.wire(transport).push(error(404, '1'))
      stage.wire(transport).end()
    }
    await pass(249)
    expect(jobsRead(stage)).toEqual([['1']])
    await pass(1)
    expect(jobsRead(stage)).toEqual([['1'], ['1']])
    await stage.close()
  })
})

describe('an error for all', () => {
  test.each([
    [400, 'bad-request'],
    [403, 'forbidden'],
    [410, 'history-gone']
  ])('%d fails every job that the link has asked for as %s', async (status, code) => {
    const [one, two] = [record('1'), record('2')]
    const stage = await carry([one, two])
    await stage.push(error(status))
    expect([...stage.failed].map(([reader, { code }]) => [reader, code])).toEqual([
      [one, code],
      [two, code]
    ])
    await stage.close()
  })

  test('404 holds each of them', async () => {
    const stage = await carry([record('1'), record('2')])
    await stage.push(error(404))
    expect(stage.failed.size).toBe(0)
    expect(stage.state?.phase).toBe('waiting')
    await pass(250)
    expect(jobsRead(stage)).toEqual([['1', '2']])
    await stage.close()
  })

  test('401 that can’t be mended fails all, with one error', async () => {
    const stage = await carry([record('1'), record('2')])
    await stage.push(error(401))
    const errors = [...stage.failed.values()]
    expect(errors).toHaveLength(2)
    expect(new Set(errors).size).toBe(1)
    expect(errors[0]).toMatchObject({ code: 'unauthorized', message: 'all jobs: the server said 401 some-code: says why' })
    await stage.close()
  })

  test.each([429, 503])('%d is waited out, by everything that is open', async (status) => {
    vi.spyOn(Math, 'random').mockReturnValue(0)
    const stage = await carry([record('1')], { names: ['websocket', 'sse'], firstLook: true })
    await pass(300)
    expect(stage.opened.map(({ transport }) => transport)).toEqual(['read-once', 'websocket', 'sse'])
    stage.wire('websocket').push([error(status, undefined, 7000)])
    await pass(0)
    expect(stage.opened.every(({ request }) => request.signal.aborted)).toBe(true)
    expect(stage.said.filter(({ type }) => type === 'waiting')).toEqual([{ type: 'waiting', ms: 7000, reason: 'busy', transport: undefined }])
    expect(stage.state?.phase).toBe('waiting')
    await pass(6999)
    expect(stage.opened).toHaveLength(3)
    await pass(1)
    expect(stage.opened.slice(3).map(({ transport }) => transport)).toContain('websocket')
    await stage.close()
  })

  test('that nobody waits for, since another path delivers, is this path’s failure', async () => {
    const stage = await carry([record('1')], { names: ['websocket', 'sse'] })
    await pass(250)
    stage.wire('sse').push([{ ...hello, heartbeatMs: 60_000 }, subscribed('1', 'a', 0)])
    await pass(0)
    await stage.push(error(503))
    expect(isOpen(stage, 'websocket')).toBe(false)
    expect(isOpen(stage, 'sse')).toBe(true)
    expect(stage.said).toContainEqual(expect.objectContaining({ type: 'probe-failed', transport: 'websocket', reason: 'status', status: 503 }))
    expect(stage.state?.phase).toBe('live')
    await stage.close()
  })
})

describe('credentials', () => {
  const named = (token: string): Credentials => ({ headers: new Headers(), token })

  test('are those from before where asking anew fails, beside what is live', async () => {
    const authorize = vi.fn(async () => named('first'))
    const stage = await carry([record('1')], { names: ['websocket', 'sse'], authorize })
    await pass(250)
    stage.wire('websocket').end(new TypeError('no'))
    stage.wire('sse').push([{ ...hello, heartbeatMs: 60_000 }, subscribed('1', 'a', 0)])
    await pass(0)
    authorize.mockRejectedValueOnce(new Error('no token'))
    await pass(5000)
    expect(authorize).toHaveBeenCalledTimes(2)
    expect(isOpen(stage, 'sse')).toBe(true)
    expect(stage.wire('websocket').request).toMatchObject({ token: 'first' })
    expect(stage.opened.map(({ transport }) => transport)).toEqual(['websocket', 'sse', 'websocket'])
    await stage.close()
  })

  test('that come when nobody waits for them any more are not used', async () => {
    const late = Promise.withResolvers<Credentials>()
    const one = record('1')
    const stage = await carry([one], { authorize: () => late.promise })
    stage.connection.remove(one)
    await macrotask()
    late.resolve(named('late'))
    await pass(1000)
    expect(stage.opened).toEqual([])
  })

  test('that others refused are asked for once, however many refuse them at once', async () => {
    let asked = 0
    const authorize = async (): Promise<Credentials> => named(`token-${++asked}`)
    const stage = await carry([record('1')], { names: ['websocket', 'sse', 'long-poll'], staggerMs: 0, canReauthorize: true, authorize })
    const first = [...stage.opened]
    expect(first).toHaveLength(3)
    for (const each of first) each.push(error(401))
    await pass(0)
    expect(asked).toBe(2)
    expect(stage.failed.size).toBe(0)
    expect(stage.opened.slice(3).map(({ request }) => request.token)).toEqual(['token-2', 'token-2', 'token-2'])
    await stage.close()
  })
})
