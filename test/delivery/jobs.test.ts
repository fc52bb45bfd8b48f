import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { createJobs, type Jobs } from '../../src/delivery/jobs.ts'
import { type Recorder, record } from './recorder.ts'

beforeEach(() => {
  vi.useFakeTimers()
})
afterEach(() => {
  vi.restoreAllMocks()
  vi.useRealTimers()
})

const due = vi.fn<(job: string) => void>()
let capacity: number | undefined
beforeEach(() => {
  due.mockClear()
  capacity = 1000
})

const follow = (...readers: Recorder[]): Jobs => {
  const jobs = createJobs(() => capacity, due)
  for (const reader of readers) jobs.add(reader)
  return jobs
}
const withRoom = (count: number | undefined, jobs: Jobs): Jobs => {
  capacity = count
  return jobs
}
const numbered = (count: number, length = 4): Recorder[] => Array.from({ length: count }, (_, index) => record(`${index}`.padStart(length, '0')))

describe('wanted', () => {
  test('are the jobs in the order of their coming', () => {
    expect(follow(record('1'), record('2'), record('1')).wanted()).toEqual(['1', '2'])
  })

  test('are without those whose readers are all paused, or have left', () => {
    const [one, two, second] = [record('1'), record('2'), record('1')]
    const jobs = follow(one, two, second)
    one.paused = two.paused = true
    expect(jobs.wanted()).toEqual(['1'])
    expect(jobs.active('1')).toEqual([second])
    jobs.remove(second)
    expect(jobs.wanted()).toEqual([])
    expect(jobs.all()).toEqual([one, two])
  })
})

describe('readers', () => {
  test('are those of one job or of all', () => {
    const [one, two, second] = [record('1'), record('2'), record('1')]
    const jobs = follow(one, two, second)
    expect(jobs.readers('1')).toEqual([one, second])
    expect(jobs.readers('3')).toEqual([])
    expect(jobs.all()).toEqual([one, second, two])
  })

  test('leave once', () => {
    const one = record('1')
    const jobs = follow(one)
    jobs.remove(one)
    jobs.remove(one)
    jobs.remove(record('2'))
    expect(jobs.all()).toEqual([])
  })
})

describe('capacity', () => {
  test('is for the first that came; the rest is beyond it', () => {
    const readers = numbered(5)
    const jobs = follow(...readers)
    expect(withRoom(2, jobs).wanted()).toEqual(['0000', '0001'])
    expect(withRoom(2, jobs).beyond()).toEqual(readers.slice(2))
    expect(withRoom(5, jobs).beyond()).toEqual([])
    jobs.remove(readers[0] ?? record(''))
    expect(withRoom(2, jobs).wanted()).toEqual(['0001', '0002'])
  })

  test('is one until it is known, but nobody is turned away', () => {
    const jobs = withRoom(undefined, follow(...numbered(3)))
    expect(jobs.wanted()).toEqual(['0000'])
    expect(jobs.beyond()).toEqual([])
    expect(jobs.takes('another')).toBe(true)
  })

  test('counts jobs that nobody wants right now: they come back', () => {
    const readers = numbered(3)
    for (const reader of readers.slice(0, 2)) reader.paused = true
    expect(withRoom(2, follow(...readers)).wanted()).toEqual([])
  })

  test('is for jobs: another reader of one that it takes always fits', () => {
    const jobs = follow(record('1'))
    expect(withRoom(1, jobs).takes('1')).toBe(true)
    expect(withRoom(1, jobs).takes('2')).toBe(false)
    expect(withRoom(2, jobs).takes('2')).toBe(true)
    expect(withRoom(0, follow()).takes('1')).toBe(true)
  })

  test('is bounded by the length of the list as well', () => {
    const jobs = follow(...numbered(200))
    const taken = jobs.wanted().length
    expect(taken).toBeGreaterThan(50)
    expect(taken).toBeLessThan(150)
    expect(jobs.beyond()).toHaveLength(200 - taken)
    expect(follow(...numbered(taken)).takes('another')).toBe(false)
    expect(follow(...numbered(taken - 20)).takes('another')).toBe(true)
  })

  test.each([
    ['plain ids', (index: number) => record(`job-${index}`)],
    ['ids that need escapes', (index: number) => record(`é/${index}`)],
    ['long cursors', (index: number) => record(`job-${index}`, `cursor-${index}`.padEnd(128, 'x'))]
  ])('keeps a list within 4,000 characters with %s', (_, make) => {
    const jobs = follow(...Array.from({ length: 300 }, (_, index) => make(index)))
    const query = new URLSearchParams()
    for (const job of jobs.wanted()) {
      query.append('job', job)
      query.append('after', jobs.readers(job)[0]?.position.cursor ?? '')
    }
    expect(query.size).toBeGreaterThan(20)
    expect(`?${query}`.length).toBeLessThanOrEqual(4000)
  })

  test('takes one job however long', () => {
    const jobs = follow(record('x'.repeat(5000)), record('2'))
    expect(jobs.wanted()).toHaveLength(1)
  })
})

describe('a held job', () => {
  test('is not wanted until it is freed, nor counted as held then', () => {
    const one = record('1')
    const jobs = follow(one)
    jobs.hold('1', 0)
    expect(jobs.wanted()).toEqual([])
    expect(jobs.areHeld()).toBe(true)
    jobs.free('1')
    expect(jobs.wanted()).toEqual(['1'])
    expect(jobs.areHeld()).toBe(false)
    expect(vi.getTimerCount()).toBe(0)
  })

  test('is due after 250 ms, then after twice as long each time', () => {
    const jobs = follow(record('1'))
    for (const ms of [250, 500, 1000, 2000]) {
      due.mockClear()
      jobs.hold('1', 0)
      vi.advanceTimersByTime(ms - 1)
      expect(due).not.toHaveBeenCalled()
      vi.advanceTimersByTime(1)
      expect(due).toHaveBeenCalledOnce()
    }
  })

  test('is due no earlier than it is told, and no later than it is told', () => {
    vi.spyOn(Math, 'random').mockReturnValue(0)
    const jobs = follow(record('1'), record('2'))
    jobs.hold('1', 7000)
    expect(jobs.hold('2', 0, 100)).toBe(true)
    vi.advanceTimersByTime(100)
    expect(due.mock.calls).toEqual([['2']])
    vi.advanceTimersByTime(6899)
    expect(due).toHaveBeenCalledOnce()
    vi.advanceTimersByTime(1)
    expect(due.mock.calls).toEqual([['2'], ['1']])
  })

  test('that many were told the same of is due up to as long again after that', () => {
    vi.spyOn(Math, 'random').mockReturnValue(0.5)
    const jobs = follow(record('1'))
    jobs.hold('1', 7000)
    vi.advanceTimersByTime(10_499)
    expect(due).not.toHaveBeenCalled()
    vi.advanceTimersByTime(1)
    expect(due).toHaveBeenCalledOnce()
  })

  test('is held no longer than its grace', () => {
    const jobs = follow(record('1'))
    for (const ms of [250, 350]) {
      expect(jobs.hold('1', 0, 600)).toBe(true)
      vi.advanceTimersByTime(ms)
    }
    expect(due).toHaveBeenCalledTimes(2)
    expect(jobs.hold('1', 0, 600)).toBe(false)
    expect(vi.getTimerCount()).toBe(0)
  })

  test('is asked for once more after a sleep that was longer than its grace', () => {
    const jobs = follow(record('1'))
    jobs.hold('1', 0, 600)
    vi.advanceTimersByTime(250)
    vi.advanceTimersByTime(5000)
    const setTimer = vi.spyOn(globalThis, 'setTimeout')
    expect(jobs.hold('1', 0, 600)).toBe(true)
    expect(setTimer).toHaveBeenCalledWith(expect.any(Function), 0) // Node warns on stderr of less
    vi.advanceTimersByTime(1)
    expect(due).toHaveBeenCalledTimes(2)
    expect(jobs.hold('1', 0, 600)).toBe(false)
  })

  test('begins anew once it was freed', () => {
    const jobs = follow(record('1'))
    jobs.hold('1', 0)
    vi.advanceTimersByTime(250)
    jobs.hold('1', 0)
    jobs.free('1')
    due.mockClear()
    expect(jobs.hold('1', 0, 250)).toBe(true)
    vi.advanceTimersByTime(250)
    expect(due).toHaveBeenCalledOnce()
  })

  test('can be freed only if its pause is over', () => {
    const jobs = follow(record('1'))
    jobs.hold('1', 0)
    jobs.free('1', true)
    expect(jobs.areHeld()).toBe(true)
    vi.advanceTimersByTime(250)
    jobs.free('1', true)
    expect(jobs.areHeld()).toBe(false)
  })

  test('held again while it waits has one timer', () => {
    const jobs = follow(record('1'))
    jobs.hold('1', 0)
    jobs.hold('1', 0)
    vi.advanceTimersByTime(10_000)
    expect(due).toHaveBeenCalledOnce()
  })

  test('goes with its last reader, its timer too', () => {
    const one = record('1')
    const jobs = follow(one)
    jobs.hold('1', 0)
    jobs.remove(one)
    expect(vi.getTimerCount()).toBe(0)
    expect(jobs.areHeld()).toBe(false)
  })

  test('that nobody follows is not held', () => {
    const jobs = follow()
    expect(jobs.hold('1', 0)).toBe(false)
    expect(vi.getTimerCount()).toBe(0)
  })
})
