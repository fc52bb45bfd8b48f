import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import type { Carrier, Loop } from '../../src/delivery/loop.ts'
import { createTraffic, type TrafficOptions } from '../../src/delivery/traffic.ts'
import type { JobtailError } from '../../src/errors.ts'
import type { ErrorControl, Frame } from '../../src/protocol/frames.ts'
import { TAIL } from '../../src/protocol/rules.ts'
import type { OpenRequest, Transport } from '../../src/types.ts'
import { type ScriptedLink, scriptLink } from '../strategy/scripted-link.ts'
import { event, type Recorder, record, subscribed } from './recorder.ts'

beforeEach(() => {
  vi.useFakeTimers()
})
afterEach(() => {
  expect(vi.getTimerCount()).toBe(0)
  vi.restoreAllMocks()
  vi.useRealTimers()
})

const hello = { control: 'hello', protocol: 1, heartbeatMs: 2000 } as const
const headers = new Headers({ 'x-own': 'yes' })
const pass = (ms: number): Promise<unknown> => vi.advanceTimersByTimeAsync(ms)

interface Wire extends ScriptedLink {
  request: OpenRequest
}

/** One link that carries these readers' jobs; what it says to the loop; the looks that were opened beside it. */
async function carry(readers: readonly Recorder[], options: Partial<TrafficOptions> = {}, loop: Partial<Loop> = {}) {
  const said: string[] = []
  const failed = new Map<Recorder, JobtailError>()
  const opened: Wire[] = []
  const transport = (name: string): Transport => ({
    name,
    isSupported: () => true,
    open(request) {
      const wire: Wire = Object.assign(scriptLink(request.signal), { request })
      opened.push(wire)
      return wire
    }
  })
  const traffic = createTraffic(
    {
      look: transport('look'),
      firstLook: false,
      request: { base: new URL('https://api.example.com/jobs'), credentials: 'same-origin', fetch, WebSocket },
      probeTimeoutMs: 60_000,
      unknownJobGraceMs: 5000,
      capacity: () => 100,
      onHello: (mux) => said.push(`mux ${mux}`),
      onSurplus() {},
      ...options
    },
    {
      round: () => undefined,
      credentials: () => ({ headers, token: 'secret' }),
      start() {},
      release() {},
      onProved: () => said.push('proved'),
      onSettled() {},
      onStale() {},
      onOver: (_, error) => said.push(`over: ${error?.reason}`),
      onSubscribed: () => said.push('subscribed'),
      isAway: () => false,
      onUnauthorized: ({ message }) => said.push(message),
      onBusy(atLeastMs) {
        said.push(`busy ${atLeastMs}`)
        return true
      },
      emit: (detail) => said.push('status' in detail ? `${detail.type} ${detail.status}` : detail.type),
      ...loop
    }
  )
  for (const reader of readers) {
    reader.fail = (error) => {
      failed.set(reader, error)
      traffic.jobs.remove(reader)
    }
    traffic.jobs.add(reader)
  }
  traffic.begin()
  const carrier = traffic.open(transport('sse'))
  await pass(0)
  const [wire] = opened
  if (!wire) throw new Error('the transport was not opened')
  return {
    ...{ traffic, said, failed, opened, carrier, wire },
    async push(...frames: Frame[]) {
      wire.push(frames)
      await pass(0)
    },
    looks: () => opened.slice(1),
    async close() {
      for (const reader of readers) traffic.jobs.remove(reader)
      traffic.endLooks()
      carrier.end()
      await pass(0)
    }
  }
}

const error = (status: number, job?: string, retryAfterMs?: number): ErrorControl => ({
  control: 'error',
  status,
  code: 'some-code',
  message: 'says why',
  ...(job === undefined ? {} : { job }),
  ...(retryAfterMs === undefined ? {} : { retryAfterMs })
})

describe('a link', () => {
  test('asks for what is wanted, with headers of its own', async () => {
    const { wire, close } = await carry([record('1', 'a-4')])
    expect(wire.request).toMatchObject({ jobs: [{ job: '1', ref: 1, after: 'a-4' }], token: 'secret', credentials: 'same-origin' })
    expect(wire.request.headers.get('x-own')).toBe('yes')
    expect(wire.request.headers).not.toBe(headers) // a transport may add to them
    await close()
  })

  test('hands each frame to whom it belongs', async () => {
    const one = record('1')
    const { push, said, carrier, close } = await carry([one])
    await push({ ...hello, mux: 128 }, subscribed('1', 'a', 0), event('1', 'a', 1), { control: 'heartbeat' }, { control: 'pong' })
    expect(said).toEqual(['proved', 'mux 128', 'subscribed'])
    expect(one.heard).toEqual(['running', 'a-1'])
    expect(carrier.events).toBe(1)
    await close()
    expect(said.at(-1)).toBe('over: undefined')
  })

  test('to a server that names no mux carries one job', async () => {
    const { push, said, close } = await carry([record('1')])
    await push(hello)
    expect(said).toContain('mux 1')
    await close()
  })

  test('tells the end of a job before it is delivered', async () => {
    const one = record('1')
    const { push, said, close } = await carry([one])
    vi.spyOn(one, 'event').mockImplementation(({ type }) => void said.push(type))
    await push(subscribed('1', 'a', 0), event('1', 'a', 1), event('1', 'a', 2, 'cancelled'))
    expect(said.slice(1)).toEqual(['subscribed', 'progress', 'ended cancelled', 'cancelled'])
    await close()
  })

  test('tells done to those who are still there', async () => {
    const [one, gone] = [record('1'), record('1')]
    const { traffic, push, said, close } = await carry([one, gone])
    await push(subscribed('1', 'a', 0))
    traffic.jobs.remove(gone)
    await push({ control: 'done', job: '1', cursor: 'a-0' })
    expect([one.heard, gone.heard]).toEqual([['running', 'done'], ['running']])
    traffic.jobs.remove(one)
    await push(subscribed('1', 'a', 0), event('1', 'a', 1, 'succeeded'))
    expect(one.heard).toEqual(['running', 'done'])
    expect(said).not.toContain('ended succeeded')
    await close()
  })

  test('ends where the protocol is broken', async () => {
    const { push, carrier } = await carry([record('1')])
    await push(hello, subscribed('1', 'a', 0), event('1', 'a', 2))
    expect(await carrier.ended).toMatchObject({ reason: 'protocol', message: 'event a-2 of job 1: expected seq 1, got 2' })
  })

  test('is not proved by an error', async () => {
    const { push, carrier, said, close } = await carry([record('1')])
    await push(error(403, '1'))
    expect(carrier.provedAt).toBeUndefined()
    expect(said).not.toContain('proved')
    await close()
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
    const { push, failed, carrier, close } = await carry([one, second, two])
    await push(error(status, '1'))
    expect([...failed.keys()]).toEqual([one, second])
    expect(failed.get(one)).toMatchObject({ code, status, message: `job 1: the server said ${status} some-code: says why` })
    expect(carrier.readings.jobs()).toEqual(['2'])
    await close()
  })

  test('401 asks for another token', async () => {
    const { push, said, failed, close } = await carry([record('1')])
    await push(error(401, '1'))
    expect(said).toEqual(['job 1: the server said 401 some-code: says why'])
    expect(failed.size).toBe(0)
    await close()
  })

  test.each([429, 503])('%d holds it for as long as the server says', async (status) => {
    vi.spyOn(Math, 'random').mockReturnValue(0)
    const { traffic, push, looks, close } = await carry([record('1'), record('2')])
    await push(error(status, '1', 7000))
    expect(traffic.wanted()).toEqual(['2'])
    await pass(6999)
    expect(looks()).toHaveLength(0)
    await pass(1)
    expect(looks().map(({ request }) => request.jobs.map(({ job }) => job))).toEqual([['1']])
    await close()
  })
})

describe('a job that the server doesn’t know', () => {
  test('is asked for again, each time after twice as long, until the grace is over', async () => {
    const one = record('1')
    const { push, failed, looks, close } = await carry([one])
    const began = Date.now()
    const askedAt: number[] = []
    await push(error(404, '1'))
    while (!failed.size) {
      const asked = looks().length
      await vi.advanceTimersToNextTimerAsync()
      if (looks().length === asked) continue
      askedAt.push(Date.now() - began)
      looks().at(-1)?.push(error(404, '1'))
      looks().at(-1)?.end()
      await pass(0)
    }
    expect(askedAt).toEqual([250, 750, 1750, 3750, 5000])
    expect(failed.get(one)).toMatchObject({ code: 'unknown-job', status: 404 })
    await close()
  })

  test('goes back to the others where the path by which it is asked for again fails', async () => {
    const { traffic, push, looks, close } = await carry([record('1')])
    await push(error(404, '1'))
    await pass(250)
    expect(traffic.wanted()).toEqual([])
    looks()[0]?.end(new TypeError('Failed to fetch'))
    await pass(0)
    expect(traffic.wanted()).toEqual(['1'])
    await close()
  })

  test('has lost its history where it was asked for after a cursor', async () => {
    const one = record('1', 'a-7')
    const { push, failed, close } = await carry([one])
    await push(error(404, '1'))
    expect(failed.get(one)).toMatchObject({ code: 'history-gone', status: 404 })
    await close()
  })

  test('may come yet where it was asked for as tail', async () => {
    const { traffic, push, failed, close } = await carry([record('1', TAIL)])
    await push(error(404, '1'))
    expect(failed.size).toBe(0)
    expect(traffic.jobs.areHeld()).toBe(true)
    await close()
  })

  test('but is read on another path goes on there, even if only one of its readers has a place in it', async () => {
    const [one, second] = [record('1'), record('1')]
    const { traffic, push, failed, close } = await carry([one, second])
    second.position = { epoch: 'a', seq: 1, cursor: 'a-1', left: [] }
    await push(error(404, '1'))
    expect(failed.size).toBe(0)
    expect(traffic.jobs.areHeld()).toBe(false)
    expect(traffic.wanted()).toEqual(['1'])
    await close()
  })

  test('may be one of several', async () => {
    const { traffic, push, carrier, close } = await carry([record('1'), record('2')])
    await push(error(404, '2'))
    expect(carrier.readings.jobs()).toEqual(['1'])
    expect(traffic.wanted()).toEqual(['1'])
    await close()
  })
})

describe('an error for all', () => {
  test.each([
    [400, 'bad-request'],
    [403, 'forbidden'],
    [410, 'history-gone']
  ])('%d fails every job that the link has asked for as %s', async (status, code) => {
    const [one, two] = [record('1'), record('2')]
    const { push, failed, carrier, close } = await carry([one, two])
    await push(error(status))
    expect([...failed].map(([reader, { code }]) => [reader, code])).toEqual([
      [one, code],
      [two, code]
    ])
    expect(carrier.readings.jobs()).toEqual([])
    await close()
  })

  test('404 holds each of them', async () => {
    const { traffic, push, failed, close } = await carry([record('1'), record('2')])
    await push(error(404))
    expect(traffic.wanted()).toEqual([])
    expect(failed.size).toBe(0)
    await close()
  })

  test('401 asks for another token, once', async () => {
    const { push, said, close } = await carry([record('1'), record('2')])
    await push(error(401))
    expect(said).toEqual(['all jobs: the server said 401 some-code: says why'])
    await close()
  })

  test.each([429, 503])('%d is for the connection to wait out', async (status) => {
    const onBusy = vi.fn<(atLeastMs: number, carrier: Carrier) => boolean>(() => true)
    const { push, carrier, said, close } = await carry([record('1')], {}, { onBusy })
    await push(error(status, undefined, 7000))
    expect(onBusy).toHaveBeenCalledExactlyOnceWith(7000, carrier)
    expect(said).toEqual([])
    await close()
  })

  test('that the connection won’t wait for, since another path delivers, is this path’s failure', async () => {
    const { push, carrier } = await carry([record('1')], {}, { onBusy: () => false })
    await push(error(503))
    expect(await carrier.ended).toMatchObject({ reason: 'status', status: 503, message: 'says why' })
  })
})
