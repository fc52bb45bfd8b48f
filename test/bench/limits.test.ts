import { describe, expect, test } from 'vitest'
import { fastestRatioOf, median, medianOf, type Runs, ratioOf, verdictOf } from '../../bench/client/limits.ts'
import { type Row, rows } from '../../bench/client/rows.ts'
import { figures, limits, markdown, plain } from '../../bench/client/tables.ts'

const runs = (...ms: readonly (number | undefined)[]): Runs => ms.map((value) => (value === undefined ? undefined : { ms: value }))

test.each([
  [[3, 1, 2], 2],
  [[4, 1, 2, 3], 2.5],
  [[7], 7],
  [[1, Number.NaN, 3], 2],
  [[10, 9, 100], 10],
  [[], Number.NaN]
])('the median of %j is %d', (values, middle) => {
  expect(median(values)).toBe(middle)
})

describe('ratios', () => {
  test('are those of each run, so that a slow run changes nothing', () => {
    expect(medianOf(runs(20, 200, 26), 'ms')).toBe(26)
    expect(ratioOf(runs(20, 200, 26), runs(10, 100, 20), 'ms')).toBe(2)
  })

  test('leave out a run that has failed', () => {
    expect(ratioOf(runs(20, undefined, 30), runs(10, 10, 10), 'ms')).toBe(2.5)
    expect(ratioOf(runs(20, 30), runs(10, undefined), 'ms')).toBe(2)
  })

  test('are after what is granted beside them', () => {
    expect(ratioOf(runs(32), runs(10), 'ms', 20)).toBe(1.2)
    expect(ratioOf(runs(15), runs(10), 'ms', 20)).toBe(0)
  })

  test('of the fastest', () => {
    expect(fastestRatioOf(runs(50, undefined, 30), runs(10, 20, 90), 'ms')).toBe(3)
    expect(fastestRatioOf([], [], 'ms')).toBeNaN()
  })
})

test.each([
  ['at the limit', runs(12), { times: 1.2 }, 'held'],
  ['above it', runs(12.1), { times: 1.2 }, 'MISSED'],
  ['within what is granted beside it', runs(31), { times: 1.2, plus: 20 }, 'held'],
  ['beyond that', runs(33), { times: 1.2, plus: 20 }, 'MISSED'],
  ['all runs have failed', runs(undefined), { times: 1.2 }, 'not measured']
] as const)('%s', (_, own, limit, verdict) => {
  expect(verdictOf(own, runs(10), 'ms', limit)).toBe(verdict)
})

describe('tables', () => {
  const row: Row = {
    id: 'replay',
    table: 'Replay, ms',
    rttMs: 0,
    entries: [],
    columns: [{ metric: 'ms', title: '10 events', limit: { times: 1.5 } }],
    own: 'jobtail',
    other: 'bare'
  }
  const results = [
    {
      row,
      runs: new Map([
        ['jobtail', runs(30, 40)],
        ['bare', runs(10, 20)],
        ['broken', runs(undefined)]
      ])
    }
  ]

  test('figures have a line for each contestant, and ratios', () => {
    expect(figures(results).get('Replay, ms')).toEqual([
      ['', '10 events'],
      ['jobtail', '35 (2.50 ×)'],
      ['bare', '15'],
      ['broken', '–']
    ])
  })

  test('limits say what became of each', () => {
    expect(limits(results).at(-1)).toEqual(['Replay, ms: 10 events', '35', '15', '2.50 ×', '3.00 ×', '1.50 ×', 'MISSED'])
  })

  test('are written as Markdown, and aligned', () => {
    const table = [
      ['', 'a'],
      ['long', 'b']
    ]
    expect(markdown(table)).toBe('| | a |\n| --- | --- |\n| long | b |')
    expect(plain(table)).toBe('      a\nlong  b')
  })
})

test('the two whom a limit is between take part in its row', () => {
  for (const { entries, own, other } of rows) expect(entries.map(({ label }) => label)).toEqual(expect.arrayContaining([own, other]))
})
