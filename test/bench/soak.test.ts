import { expect, test } from 'vitest'
import { growthOf, memoryFaults, type Sample } from '../../bench/soak/verdict.ts'

const MINUTE = 60_000
const samples = (kb: (minute: number) => Partial<Sample>): Sample[] =>
  Array.from({ length: 20 }, (_, minute) => ({ atMs: minute * MINUTE, heapKb: 0, processKb: 0, ...kb(minute) }))

test('growth is the slope from the end of the warm-up on', () => {
  const grown = samples((minute) => ({ heapKb: 1000 * Math.min(minute, 5) + 10 * minute, processKb: 5000 + 300 * minute }))
  const { heap, process } = growthOf(grown, 5 * MINUTE)
  expect(heap).toBeCloseTo(10)
  expect(process).toBeCloseTo(300)
})

test.each([
  ['both flat', { heap: 0, process: 0 }, { heap: 0, process: 0 }, []],
  ['the process grows as the bare peer does', { heap: 0, process: 1200 }, { heap: 0, process: 1000 }, []],
  ['the heap grows', { heap: 257, process: 0 }, { heap: 400, process: 400 }, ['the heap grows by 257 kB a minute, expected at most 256']],
  [
    'the process grows, the bare peer does not',
    { heap: 0, process: 300 },
    { heap: 0, process: 20 },
    ["the process grows by 300 kB a minute, expected at most 276: the bare peer's growth and 256"]
  ],
  [
    'the bare peer shrinks',
    { heap: 0, process: 257 },
    { heap: 0, process: -900 },
    ["the process grows by 257 kB a minute, expected at most 256: the bare peer's growth and 256"]
  ]
])('%s', (_, jobtail, bare, faults) => {
  expect(memoryFaults(jobtail, bare)).toEqual(faults)
})

test('no samples are no proof', () => {
  const none = growthOf([], 0)
  expect(memoryFaults(none, none)).toHaveLength(2)
})
