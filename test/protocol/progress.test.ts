import { expect, test } from 'vitest'
import { progressOf } from '../../src/protocol/progress.ts'

test.each([
  [
    { current: 5, total: 10 },
    { current: 5, total: 10, ratio: 0.5 }
  ],
  [
    { current: 11, total: 10, unit: 'files' },
    { current: 11, total: 10, unit: 'files', ratio: 1 }
  ],
  [
    { current: -1, total: 10 },
    { current: -1, total: 10, ratio: 0 }
  ],
  [
    { current: 5, total: 10, ratio: 0.4 },
    { current: 5, total: 10, ratio: 0.4 }
  ],
  [
    { current: 5, total: 10, ratio: null },
    { current: 5, total: 10, ratio: 0.5 }
  ],
  [
    { current: 0, total: 0 },
    { current: 0, total: 0 }
  ],
  [
    { current: '5', total: 10 },
    { current: '5', total: 10 }
  ],
  [{ message: 'soon' }, { message: 'soon' }],
  [0.25, { ratio: 0.25 }],
  [1, { ratio: 1 }],
  [50, { ratio: 0.5 }],
  [150, { ratio: 1 }],
  [-1, { ratio: 0 }],
  ['half', 'half'],
  [
    [1, 2],
    [1, 2]
  ],
  [null, null]
])('progress %j has a ratio where one can be known: %j', (data, expected) => {
  expect(progressOf(data)).toEqual(expected)
})

test('what it was made of stays as it is', () => {
  const data = Object.freeze({ current: 1, total: 4 })
  expect(progressOf(data)).toEqual({ current: 1, total: 4, ratio: 0.25 })
})
