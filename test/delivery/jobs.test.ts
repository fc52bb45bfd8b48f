import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { createJobs, type Jobs } from '../../src/delivery/jobs.ts'
import type { Wants } from '../../src/delivery/readings.ts'
import { type Recorder, record } from './recorder.ts'

beforeEach(() => {
  vi.useFakeTimers()
})
afterEach(() => {
  vi.useRealTimers()
})

const follow = (...readers: Recorder[]): Jobs => {
  const jobs = createJobs()
  for (const reader of readers) jobs.add(reader)
  return jobs
}
const list = (wants: Wants): string[] => [...wants.keys()]
const numbered = (count: number, length = 4): Recorder[] => Array.from({ length: count }, (_, index) => record(`${index}`.padStart(length, '0')))

describe('wants', () => {
  test('are the jobs in the order of their coming, each with its readers', () => {
    const [one, two, second] = [record('1'), record('2'), record('1')]
    expect(follow(one, two, second).wants(10)).toEqual(
      new Map([
        ['1', [one, second]],
        ['2', [two]]
      ])
    )
  })

  test('are without readers that are paused, and jobs that have none left', () => {
    const [one, two, second] = [record('1'), record('2'), record('1')]
    const jobs = follow(one, two, second)
    one.paused = two.paused = true
    expect(jobs.wants(10)).toEqual(new Map([['1', [second]]]))
    jobs.remove(second)
    expect(jobs.wants(10).size).toBe(0)
    expect(jobs.readers()).toEqual([one, two])
  })

  test('are the same object until something changes', () => {
    const [one, two] = [record('1'), record('2')]
    const jobs = follow(one)
    const first = jobs.wants(10)
    expect(jobs.wants(10)).toBe(first)
    one.paused = true
    expect(jobs.wants(10)).toBe(first)
    jobs.changed()
    expect(jobs.wants(10).size).toBe(0)
    one.paused = false
    jobs.add(two)
    expect(list(jobs.wants(10))).toEqual(['1', '2'])
    expect(list(jobs.wants(1))).toEqual(['1'])
  })
})

describe('readers', () => {
  test('are those of one job or of all', () => {
    const [one, two, second] = [record('1'), record('2'), record('1')]
    const jobs = follow(one, two, second)
    expect(jobs.readers('1')).toEqual([one, second])
    expect(jobs.readers('3')).toEqual([])
    expect(jobs.readers()).toEqual([one, second, two])
  })

  test('leave once', () => {
    const one = record('1')
    const jobs = follow(one)
    jobs.remove(one)
    jobs.remove(one)
    jobs.remove(record('2'))
    expect(jobs.readers()).toEqual([])
  })
})

describe('capacity', () => {
  test('is for the first that came; the rest is beyond it', () => {
    const readers = numbered(5)
    const jobs = follow(...readers)
    expect(list(jobs.wants(2))).toEqual(['0000', '0001'])
    expect(jobs.beyond(2)).toEqual(readers.slice(2))
    expect(jobs.beyond(5)).toEqual([])
    jobs.remove(readers[0] ?? record(''))
    expect(list(jobs.wants(2))).toEqual(['0001', '0002'])
  })

  test('counts jobs that nobody wants right now: they come back', () => {
    const readers = numbered(3)
    for (const reader of readers.slice(0, 2)) reader.paused = true
    expect(list(follow(...readers).wants(2))).toEqual([])
  })

  test('is for jobs: another reader of one that it takes always fits', () => {
    const jobs = follow(record('1'))
    expect(jobs.takes('1', 1)).toBe(true)
    expect(jobs.takes('2', 1)).toBe(false)
    expect(jobs.takes('2', 2)).toBe(true)
    expect(follow().takes('1', 0)).toBe(true)
  })

  test('is bounded by the length of the list as well', () => {
    const jobs = follow(...numbered(200))
    const taken = list(jobs.wants(1000)).length
    expect(taken).toBeGreaterThan(50)
    expect(taken).toBeLessThan(150)
    expect(jobs.beyond(1000)).toHaveLength(200 - taken)
    expect(follow(...numbered(taken)).takes('another', 1000)).toBe(false)
    expect(follow(...numbered(taken - 20)).takes('another', 1000)).toBe(true)
  })

  test.each([
    ['plain ids', (index: number) => record(`job-${index}`)],
    ['ids that need escapes', (index: number) => record(`é/${index}`)],
    ['long cursors', (index: number) => record(`job-${index}`, `cursor-${index}`.padEnd(128, 'x'))]
  ])('keeps a list within 4,000 characters with %s', (_, make) => {
    const jobs = follow(...Array.from({ length: 300 }, (_, index) => make(index)))
    const query = new URLSearchParams()
    for (const [job, readers] of jobs.wants(1000)) {
      query.append('job', job)
      query.append('after', readers[0]?.position.cursor ?? '')
    }
    expect(query.size).toBeGreaterThan(20)
    expect(`?${query}`.length).toBeLessThanOrEqual(4000)
  })

  test('takes one job however long', () => {
    const jobs = follow(record('x'.repeat(5000)), record('2'))
    expect(list(jobs.wants(10))).toHaveLength(1)
  })
})

describe('a held job', () => {
  test('is not wanted until it is freed, nor counted as held then', () => {
    const one = record('1')
    const jobs = follow(one)
    jobs.hold('1', 0, () => {})
    expect(jobs.wants(10).size).toBe(0)
    expect(jobs.areHeld()).toBe(true)
    jobs.free('1')
    expect(list(jobs.wants(10))).toEqual(['1'])
    expect(jobs.areHeld()).toBe(false)
    expect(vi.getTimerCount()).toBe(0)
  })

  test('is due after 250 ms, then after twice as long each time', () => {
    const jobs = follow(record('1'))
    const due = vi.fn()
    for (const ms of [250, 500, 1000, 2000]) {
      due.mockClear()
      jobs.hold('1', 0, due)
      vi.advanceTimersByTime(ms - 1)
      expect(due).not.toHaveBeenCalled()
      vi.advanceTimersByTime(1)
      expect(due).toHaveBeenCalledOnce()
    }
    expect(jobs.heldForMs('1')).toBe(3750)
  })

  test('is due no earlier than it is told, and no later than it is told', () => {
    const jobs = follow(record('1'), record('2'))
    const [late, early] = [vi.fn(), vi.fn()]
    jobs.hold('1', 7000, late)
    jobs.hold('2', 0, early, 100)
    vi.advanceTimersByTime(100)
    expect(early).toHaveBeenCalledOnce()
    vi.advanceTimersByTime(6899)
    expect(late).not.toHaveBeenCalled()
    vi.advanceTimersByTime(1)
    expect(late).toHaveBeenCalledOnce()
  })

  test('begins anew once it was freed', () => {
    const jobs = follow(record('1'))
    const due = vi.fn()
    jobs.hold('1', 0, due)
    vi.advanceTimersByTime(250)
    jobs.hold('1', 0, due)
    jobs.free('1')
    expect(jobs.heldForMs('1')).toBe(0)
    due.mockClear()
    jobs.hold('1', 0, due)
    vi.advanceTimersByTime(250)
    expect(due).toHaveBeenCalledOnce()
  })

  test('can be freed only if its pause is over', () => {
    const jobs = follow(record('1'))
    jobs.hold('1', 0, () => {})
    jobs.free('1', true)
    expect(jobs.areHeld()).toBe(true)
    vi.advanceTimersByTime(250)
    jobs.free('1', true)
    expect(jobs.areHeld()).toBe(false)
  })

  test('held again while it waits has one timer', () => {
    const jobs = follow(record('1'))
    const [first, second] = [vi.fn(), vi.fn()]
    jobs.hold('1', 0, first)
    jobs.hold('1', 0, second)
    vi.advanceTimersByTime(10_000)
    expect(first).not.toHaveBeenCalled()
    expect(second).toHaveBeenCalledOnce()
  })

  test('goes with its last reader, its timer too', () => {
    const one = record('1')
    const jobs = follow(one)
    jobs.hold('1', 0, () => {})
    jobs.remove(one)
    expect(vi.getTimerCount()).toBe(0)
    expect(jobs.areHeld()).toBe(false)
  })

  test('that nobody follows is not held', () => {
    const jobs = follow()
    jobs.hold('1', 0, () => {})
    expect(vi.getTimerCount()).toBe(0)
    expect(jobs.heldForMs('1')).toBe(0)
  })
})
