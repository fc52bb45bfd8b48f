import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import type { Carrier } from '../../src/delivery/carrier.ts'
import { createJobs } from '../../src/delivery/jobs.ts'
import { createReadings } from '../../src/delivery/readings.ts'
import { createRefusals } from '../../src/delivery/refusals.ts'
import type { JobtailError, TransportError } from '../../src/errors.ts'
import type { ErrorControl } from '../../src/protocol/frames.ts'
import { type Recorder, record } from './recorder.ts'

beforeEach(() => {
  vi.useFakeTimers()
})
afterEach(() => {
  vi.useRealTimers()
})

/** Readers whose jobs one link has asked for, and what becomes of them. */
function create(readers: Recorder[], isBusy = true) {
  const jobs = createJobs()
  for (const reader of readers) jobs.add(reader)
  let refs = 0
  const readings = createReadings(() => ++refs)
  readings.ask(jobs.wants(100))
  const failed = new Map<Recorder, JobtailError>()
  for (const reader of readers)
    reader.fail = (error) => {
      failed.set(reader, error)
      jobs.remove(reader)
    }
  const options = { lookAt: vi.fn<(job: string) => void>(), onUnauthorized: vi.fn<(error: JobtailError) => void>(), onBusy: vi.fn(() => isBusy) }
  const end = vi.fn<(error?: TransportError) => void>()
  const carrier: Carrier = {
    readings,
    events: 0,
    byeMs: undefined,
    link: { transport: 'sse', startedAt: 0, provedAt: undefined, livedMs: 0, ended: new Promise(() => {}), update: undefined, end }
  }
  const refuse = createRefusals({ jobs, unknownJobGraceMs: 5000, ...options })
  return { jobs, readings, failed, end, carrier, ...options, refuse: (error: ErrorControl) => refuse(error, carrier) }
}

const error = (status: number, job?: string, retryAfterMs?: number): ErrorControl => ({
  control: 'error',
  status,
  code: 'some-code',
  message: 'says why',
  ...(job === undefined ? {} : { job }),
  ...(retryAfterMs === undefined ? {} : { retryAfterMs })
})

describe('an error for one job', () => {
  test.each([
    [400, 'bad-request'],
    [403, 'forbidden'],
    [410, 'history-gone'],
    [422, 'bad-request']
  ])('%d fails its readers as %s, the others go on', (status, code) => {
    const [one, second, two] = [record('1'), record('1'), record('2')]
    const { refuse, failed, readings } = create([one, second, two])
    refuse(error(status, '1'))
    expect([...failed.keys()]).toEqual([one, second])
    expect(failed.get(one)).toMatchObject({ code, status, message: `job 1: the server said ${status} some-code: says why` })
    expect(readings.jobs()).toEqual(['2'])
  })

  test('401 asks for another token', () => {
    const { refuse, onUnauthorized, failed } = create([record('1')])
    refuse(error(401, '1'))
    expect(onUnauthorized).toHaveBeenCalledExactlyOnceWith(expect.objectContaining({ code: 'unauthorized', status: 401 }))
    expect(failed.size).toBe(0)
  })

  test.each([429, 503])('%d holds it for as long as the server says, and no longer', (status) => {
    const { refuse, jobs, lookAt } = create([record('1'), record('2')])
    refuse(error(status, '1', 7000))
    expect([...jobs.wants(100).keys()]).toEqual(['2'])
    vi.advanceTimersByTime(6999)
    expect(lookAt).not.toHaveBeenCalled()
    vi.advanceTimersByTime(1)
    expect(lookAt).toHaveBeenCalledExactlyOnceWith('1')
  })
})

describe('a job that the server doesn’t know', () => {
  /** Asks as often as it is told to, and is told 404 each time. */
  function askOn({ refuse, readings, jobs, lookAt }: ReturnType<typeof create>): number[] {
    const began = Date.now()
    const askedAt: number[] = []
    lookAt.mockImplementation((job) => {
      askedAt.push(Date.now() - began)
      readings.ask(new Map([[job, jobs.readers(job)]]))
      refuse(error(404, job))
    })
    refuse(error(404, '1'))
    vi.advanceTimersByTime(60_000)
    return askedAt
  }

  test('is asked for again, each time after twice as long, until the grace is over', () => {
    const one = record('1')
    const all = create([one])
    expect(askOn(all)).toEqual([250, 750, 1750, 3750, 5000])
    expect(all.failed.get(one)).toMatchObject({ code: 'unknown-job', status: 404 })
    expect(vi.getTimerCount()).toBe(0)
  })

  test('has lost its history where it was asked for after a cursor', () => {
    const one = record('1', 'a-7')
    const { refuse, failed, lookAt } = create([one])
    refuse(error(404, '1'))
    expect(failed.get(one)).toMatchObject({ code: 'history-gone', status: 404 })
    expect(lookAt).not.toHaveBeenCalled()
  })

  test('may come yet where it was asked for as tail', () => {
    const { refuse, failed, jobs } = create([record('1', 'tail')])
    refuse(error(404, '1'))
    expect(failed.size).toBe(0)
    expect(jobs.areHeld()).toBe(true)
  })

  test('but is read on another path goes on there', () => {
    const one = record('1')
    const { refuse, failed, jobs } = create([one])
    one.position = { epoch: 'a', seq: 1, cursor: 'a-1', left: [] }
    refuse(error(404, '1'))
    expect(failed.size).toBe(0)
    expect(jobs.areHeld()).toBe(false)
    expect([...jobs.wants(100).keys()]).toEqual(['1'])
  })

  test('goes on where even one of its readers has a place in it', () => {
    const [one, second] = [record('1'), record('1')]
    const { refuse, jobs } = create([one, second])
    second.position = { epoch: 'a', seq: 1, cursor: 'a-1', left: [] }
    refuse(error(404, '1'))
    expect(jobs.areHeld()).toBe(false)
  })

  test('may be one of several', () => {
    const [one, two] = [record('1'), record('2')]
    const { refuse, readings, jobs } = create([one, two])
    refuse(error(404, '2'))
    expect(readings.jobs()).toEqual(['1'])
    expect([...jobs.wants(100).keys()]).toEqual(['1'])
  })
})

describe('an error for all', () => {
  test.each([
    [400, 'bad-request'],
    [403, 'forbidden'],
    [410, 'history-gone']
  ])('%d fails every job that the link has asked for as %s', (status, code) => {
    const [one, two] = [record('1'), record('2')]
    const { refuse, failed, readings } = create([one, two])
    refuse(error(status))
    expect([...failed].map(([reader, { code }]) => [reader, code])).toEqual([
      [one, code],
      [two, code]
    ])
    expect(readings.jobs()).toEqual([])
  })

  test('404 holds each of them', () => {
    const { refuse, jobs, failed } = create([record('1'), record('2')])
    refuse(error(404))
    expect(jobs.wants(100).size).toBe(0)
    expect(failed.size).toBe(0)
  })

  test('401 asks for another token, once', () => {
    const { refuse, onUnauthorized } = create([record('1'), record('2')])
    refuse(error(401))
    expect(onUnauthorized).toHaveBeenCalledExactlyOnceWith(
      expect.objectContaining({ code: 'unauthorized', status: 401, message: 'all jobs: the server said 401 some-code: says why' })
    )
  })

  test.each([429, 503])('%d is for the connection to wait out', (status) => {
    const { refuse, onBusy, carrier, end } = create([record('1')])
    refuse(error(status, undefined, 7000))
    expect(onBusy).toHaveBeenCalledExactlyOnceWith(7000, carrier)
    expect(end).not.toHaveBeenCalled()
  })

  test('that the connection won’t wait for, since another path delivers, is this path’s failure', () => {
    const { refuse, onBusy, end, carrier } = create([record('1')], false)
    refuse(error(503))
    expect(onBusy).toHaveBeenCalledExactlyOnceWith(0, carrier)
    expect(end).toHaveBeenCalledExactlyOnceWith(expect.objectContaining({ reason: 'status', status: 503, message: 'says why' }))
  })
})
