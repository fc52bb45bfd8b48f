/** When the time left is told, and what it is: by table, in virtual time. */

import { describe, expect, test } from 'vitest'
import { createEstimate } from '../../src/element/estimate.ts'

type Point = readonly [seconds: number, ratio: number | undefined]

/** Goes from 0 to 1 at an even speed, a step each so many seconds. */
const even = (totalSeconds: number, everySeconds: number, untilSeconds: number): Point[] =>
  Array.from({ length: Math.floor(untilSeconds / everySeconds) + 1 }, (_, index) => [index * everySeconds, (index * everySeconds) / totalSeconds])

/** What is said after each of these points, in seconds; undefined: nothing. */
function play(points: readonly Point[]): (number | undefined)[] {
  const estimate = createEstimate()
  return points.map(([seconds, ratio]) => {
    const ms = estimate(ratio, seconds * 1000)
    return ms === undefined ? undefined : Math.round(ms / 1000)
  })
}

describe('the last of what is said', () => {
  test.each<[what: string, points: Point[], seconds: number | undefined]>([
    ['an even speed', even(100, 1, 40), 60],
    ['an even speed, seldom', even(600, 60, 300), 300],
    ['a page that comes late counts from what it has seen first', even(100, 1, 40).map(([at, ratio = 0]) => [at + 500, 0.5 + ratio / 2]), 60],
    ['less than 5 s', even(20, 0.5, 4.5), undefined],
    ['5 s', even(20, 0.5, 5), 15],
    ['less than 5 %', even(1000, 1, 49), undefined],
    ['5 %', even(1000, 1, 50), 950],
    ['three steps', [...even(40, 4, 12), [15, 0.3]], undefined],
    ['four steps', even(40, 4, 16), 24],
    [
      'one jump',
      [
        [0, 0],
        [30, 0.5]
      ],
      undefined
    ],
    ['a speed that falls a little', [...even(100, 1, 20), ...even(100, 1, 20).map(([at, ratio = 0]): Point => [20 + at, 0.2 + ratio * 0.7])], 94],
    ['a speed that falls to a third', [...even(100, 1, 20), ...even(100, 1, 20).map(([at, ratio = 0]): Point => [20 + at, 0.2 + ratio / 3])], undefined],
    ['a speed that grows threefold', [...even(100, 1, 20), ...even(100, 1, 20).map(([at, ratio = 0]): Point => [20 + at, 0.2 + ratio * 3])], undefined],
    ['a new speed that has lasted', [...even(100, 1, 20), ...even(300, 1, 60).map(([at, ratio = 0]): Point => [20 + at, 0.2 + ratio])], 180],
    ['a stop', [...even(100, 1, 40), [80, 0.4]], undefined],
    ['no ratio', [...even(100, 1, 40), [41, undefined]], undefined],
    ['no ratio for a moment', [...even(100, 1, 40), [41, undefined], [42, 0.42]], undefined],
    ['a ratio that goes back', [...even(100, 1, 40), [41, 0.1]], undefined],
    ['a ratio that has gone back, then an even speed', [...even(100, 1, 40), ...even(50, 1, 20).map(([at, ratio]): Point => [41 + at, ratio])], 30],
    ['more than a day', even(2_000_000, 10_000, 100_000), undefined],
    ['all is done, and the end has not come', even(40, 1, 40), undefined]
  ])('%s', (_, points, seconds) => {
    expect(play(points).at(-1)).toBe(seconds)
  })
})

test('of a job that stops, the time left grows, then goes', () => {
  const points: Point[] = [...even(100, 1, 40), ...Array.from({ length: 30 }, (_, index): Point => [41 + index, 0.4])]
  const said = play(points).slice(40)
  const gone = said.indexOf(undefined)
  expect(gone).toBeGreaterThan(5)
  expect(said.slice(gone)).toEqual(said.slice(gone).fill(undefined))
  expect(said.slice(0, gone)).toEqual(said.slice(0, gone).sort((a = 0, b = 0) => a - b))
})

test('of an hour of steps at an even speed, no time left is off by more than 5 %', () => {
  const said = play(even(3600, 0.25, 3600)).map((seconds, index) => [seconds, 3600 - index * 0.25] as const)
  const told = said.filter(([seconds]) => seconds !== undefined)
  expect(told.length).toBeGreaterThan(12_000)
  for (const [seconds = 0, real] of told) expect(Math.abs(seconds - real)).toBeLessThanOrEqual(Math.max(1, real * 0.05))
})
