import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { now } from '../../src/async/clock.ts'
import { createJobTable, type JobTable } from '../../src/delivery/job-table.ts'
import { type Recorder, record } from './recorder.ts'

let capacity: number | undefined
beforeEach(() => {
  vi.useFakeTimers()
  capacity = 1000
})
afterEach(() => {
  vi.restoreAllMocks()
  expect(vi.getTimerCount()).toBe(0) // the table has no timer: its owner asks when a read is due
  vi.useRealTimers()
})

const follow = (...readers: Recorder[]): JobTable => {
  const table = createJobTable(() => capacity)
  for (const reader of readers) table.add(reader)
  return table
}
const withRoom = (count: number | undefined, table: JobTable): JobTable => {
  capacity = count
  return table
}
const numbered = (count: number): Recorder[] => Array.from({ length: count }, (_, index) => record(`${index}`.padStart(4, '0')))
function setMode(table: JobTable, mode: Recorder['mode'], ...readers: Recorder[]): void {
  for (const reader of readers) reader.setMode(mode)
  table.modesChanged()
}

describe('wanted', () => {
  test('are the jobs in the order of their coming', () => {
    expect(follow(record('1'), record('2'), record('1')).wanted()).toEqual(['1', '2'])
  })

  test.each(['paused', 'paging'] as const)('are without those whose readers are all %s, or have left', (mode) => {
    const [one, two, second] = [record('1'), record('2'), record('1')]
    const table = follow(one, two, second)
    setMode(table, mode, one, two)
    expect(table.wanted()).toEqual(['1'])
    expect(table.active('1')).toEqual([second])
    table.remove(second)
    expect(table.wanted()).toEqual([])
    expect(table.all()).toEqual([one, two])
    setMode(table, 'link', two)
    expect(table.wanted()).toEqual(['2'])
  })
})

describe('readers', () => {
  test('are those of one job or of all', () => {
    const [one, two, second] = [record('1'), record('2'), record('1')]
    const table = follow(one, two, second)
    expect(table.readers('1')).toEqual([one, second])
    expect(table.readers('3')).toEqual([])
    expect(table.active('3')).toEqual([])
    expect(table.all()).toEqual([one, second, two])
    expect(table.size).toBe(2)
    expect([table.has('1'), table.has('3')]).toEqual([true, false])
  })

  test('leave once', () => {
    const one = record('1')
    const table = follow(one)
    table.remove(one)
    table.remove(one)
    table.remove(record('2'))
    expect(table.all()).toEqual([])
    expect(table.size).toBe(0)
  })

  test('who come later are active at once, those who leave no more', () => {
    const [one, second] = [record('1'), record('1')]
    const table = follow(one)
    expect(table.active('1')).toEqual([one])
    table.add(second)
    expect(table.active('1')).toEqual([one, second])
    table.remove(one)
    expect(table.active('1')).toEqual([second])
  })
})

describe('capacity', () => {
  test('is for the first that came; the rest is beyond it', () => {
    const readers = numbered(5)
    const table = follow(...readers)
    expect(withRoom(2, table).wanted()).toEqual(['0000', '0001'])
    expect(withRoom(2, table).surplus()).toEqual(readers.slice(2))
    expect(withRoom(5, table).surplus()).toEqual([])
    table.remove(readers[0] ?? record(''))
    expect(withRoom(2, table).wanted()).toEqual(['0001', '0002'])
  })

  test('is one until it is known, but nobody is turned away', () => {
    const table = withRoom(undefined, follow(...numbered(3)))
    expect(table.wanted()).toEqual(['0000'])
    expect(table.surplus()).toEqual([])
  })

  test('counts jobs that nobody wants right now: they come back', () => {
    const readers = numbered(3)
    const table = follow(...readers)
    setMode(table, 'paused', ...readers.slice(0, 2))
    expect(withRoom(2, table).wanted()).toEqual([])
  })

  test('is for jobs, however many readers they have and however long their names are', () => {
    const readers = [record('x'.repeat(5000)), record('2'), record('2'), record('2')]
    const table = withRoom(2, follow(...readers))
    expect(table.wanted()).toHaveLength(2)
    expect(table.surplus()).toEqual([])
  })
})

describe('what is due to be read once', () => {
  test('is what was said, once that time has come', () => {
    const table = follow(record('1'), record('2'), record('3'))
    table.setDue('1', 0)
    table.setDue('2', now() + 100)
    expect(table.due(now())).toEqual(['1'])
    expect(table.nextDueAt()).toBe(0)
    table.setDue('1', Infinity)
    expect(table.nextDueAt()).toBe(now() + 100)
    expect(table.due(now() + 99)).toEqual([])
    expect(table.due(now() + 100)).toEqual(['2'])
  })

  test('is nothing that no link is to read', () => {
    const one = record('1')
    const table = follow(one)
    table.setDue('1', 0)
    setMode(table, 'paused', one)
    expect(table.due(now())).toEqual([])
    expect(table.nextDueAt()).toBe(Infinity)
  })

  test('as a race begins is all that the server has not told of, but for what is held', () => {
    const known = record('1')
    known.position = { epoch: 'a', seq: 1, cursor: 'a-1', left: [] }
    const table = follow(known, record('2'), record('3'))
    table.hold('2', 5000, Infinity)
    table.setUnknownDue()
    expect(table.due(now())).toEqual(['3'])
  })

  test('of jobs that nobody follows there is nothing', () => {
    const table = follow()
    table.setDue('1', 0)
    table.setKnown('1')
    table.release('1')
    expect(table.due(now())).toEqual([])
    expect(table.isRepeat('1', 'sse', undefined)).toBe(false)
  })
})

describe('a held job', () => {
  /** In how many ms a single read is due. */
  const dueInMs = (table: JobTable): number => table.nextDueAt() - now()
  /** Waits until the read is due, and starts it. */
  function readWhenDue(table: JobTable, job = '1'): void {
    vi.advanceTimersByTime(dueInMs(table))
    expect(table.due(now())).toEqual([job])
    table.setDue(job, Infinity)
  }
  const hold = (table: JobTable, atLeastMs = 0, graceMs = Infinity): boolean => table.hold('1', atLeastMs, graceMs)

  test('is not wanted until the server has told of it, nor counted as held then', () => {
    const table = follow(record('1'))
    hold(table)
    expect(table.wanted()).toEqual([])
    table.setKnown('1')
    expect(table.wanted()).toEqual(['1'])
    expect(table.nextDueAt()).toBe(Infinity)
  })

  test('is due after 250 ms, then after twice as long each time, up to 30 s', () => {
    const table = follow(record('1'))
    const pauses = Array.from({ length: 10 }, () => {
      hold(table)
      const ms = dueInMs(table)
      readWhenDue(table)
      return ms
    })
    expect(pauses).toEqual([250, 500, 1000, 2000, 4000, 8000, 16_000, 30_000, 30_000, 30_000])
  })

  test('is due no earlier than it is told, and no later than its grace', () => {
    vi.spyOn(Math, 'random').mockReturnValue(0)
    const [late, soon] = [follow(record('1')), follow(record('1'))]
    hold(late, 7000)
    expect(hold(soon, 0, 100)).toBe(true)
    expect([dueInMs(late), dueInMs(soon)]).toEqual([7000, 100])
  })

  test('that many were told the same of is due up to as long again after that', () => {
    vi.spyOn(Math, 'random').mockReturnValue(0.5)
    const table = follow(record('1'))
    hold(table, 7000)
    expect(dueInMs(table)).toBe(10_500)
  })

  test('for thirty days is due in thirty days', () => {
    vi.spyOn(Math, 'random').mockReturnValue(0)
    const table = follow(record('1'))
    hold(table, 2_592_000_000)
    expect(dueInMs(table)).toBe(2_592_000_000)
  })

  test('is held no longer than its grace', () => {
    const table = follow(record('1'))
    for (const ms of [250, 350]) {
      expect(hold(table, 0, 600)).toBe(true)
      expect(dueInMs(table)).toBe(ms)
      readWhenDue(table)
    }
    expect(hold(table, 0, 600)).toBe(false)
  })

  test('is asked for once more after a sleep that was longer than its grace', () => {
    const table = follow(record('1'))
    hold(table, 0, 600)
    vi.advanceTimersByTime(250)
    readWhenDue(table)
    vi.advanceTimersByTime(5000)
    expect(hold(table, 0, 600)).toBe(true)
    expect(dueInMs(table)).toBe(0)
    readWhenDue(table)
    expect(hold(table, 0, 600)).toBe(false)
  })

  test('begins anew once the server has told of it', () => {
    const table = follow(record('1'))
    hold(table)
    readWhenDue(table)
    hold(table)
    table.setKnown('1')
    expect(hold(table, 0, 250)).toBe(true)
    expect(dueInMs(table)).toBe(250)
  })

  test('goes back to links only if nothing is due for it: the path by which it was read has failed', () => {
    const table = follow(record('1'))
    hold(table)
    table.release('1')
    expect(table.wanted()).toEqual([])
    readWhenDue(table)
    table.release('1')
    expect(table.wanted()).toEqual(['1'])
  })

  test('goes on with its pauses and its grace where the links are told the same: a path that fails each time must not begin them anew', () => {
    const table = follow(record('1'))
    for (const ms of [250, 350]) {
      expect(hold(table, 0, 600)).toBe(true)
      expect(dueInMs(table)).toBe(ms)
      readWhenDue(table)
      table.release('1')
    }
    expect(hold(table, 0, 600)).toBe(false)
  })

  test('told so by two at once waits no longer than by one: its pause isn’t doubled, and the later time counts', () => {
    vi.spyOn(Math, 'random').mockReturnValue(0)
    const table = follow(record('1'))
    hold(table)
    expect(hold(table)).toBe(true)
    expect(dueInMs(table)).toBe(250)
    hold(table, 400)
    expect(dueInMs(table)).toBe(400)
    hold(table, 300)
    expect(dueInMs(table)).toBe(400)
    readWhenDue(table)
    hold(table)
    expect(dueInMs(table)).toBe(500)
  })

  test('told so by two at once is not over for that: its grace isn’t used up by the second', () => {
    const table = follow(record('1'))
    expect([1, 2, 3, 4, 5, 6].map(() => hold(table, 0, 600))).toEqual(Array.from({ length: 6 }, () => true))
    readWhenDue(table)
    expect(hold(table, 0, 600)).toBe(true)
  })

  test('goes with its last reader', () => {
    const one = record('1')
    const table = follow(one)
    hold(table)
    table.remove(one)
    expect(table.nextDueAt()).toBe(Infinity)
  })

  test('that nobody follows is not held', () => expect(hold(follow())).toBe(false))
})

test('whether a transport asks the same question again is known by job, transport and cursor', () => {
  const table = follow(record('1'), record('2'))
  const asked: [string, string, string | undefined][] = [
    ['1', 'sse', undefined],
    ['1', 'websocket', undefined],
    ['2', 'sse', undefined],
    ['1', 'sse', undefined],
    ['1', 'sse', 'a-1'],
    ['1', 'sse', 'a-1'],
    ['1', 'sse', undefined]
  ]
  expect(asked.map((each) => table.isRepeat(...each))).toEqual([false, false, false, true, false, true, false])
})
