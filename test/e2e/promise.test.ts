import { expect, test } from 'vitest'
import type { Outcome } from '../../e2e/backends/cell.ts'
import type { Seen } from '../../e2e/backends/page.ts'
import { broken } from '../../e2e/backends/promise.ts'

const record = [1, 2, 3, 4, 5]
/** What a page has seen: steps, gaps, and the end, in this order. */
const seenOf = (what: readonly (number | 'gap' | 'end')[]): Seen[] => {
  let seq = 0
  return what.map((each) => {
    seq = each === 'gap' ? 0 : seq + 1
    return { id: `${seq}`, seq, type: each === 'gap' ? 'gap' : each === 'end' ? 'succeeded' : 'output', step: typeof each === 'number' ? each : undefined }
  })
}
const outcome = (what: Parameters<typeof seenOf>[0], more: Partial<Outcome> = {}): Outcome => ({
  record,
  seen: seenOf(what),
  stood: [2, 5],
  over: 'ended',
  backMs: Number.NaN,
  ...more
})

test.each([
  ['log', [1, 2, 3, 4, 5, 'end']],
  ['replay', [1, 2, 3, 4, 5, 'end']],
  ['state', [2, 4, 5, 'end']],
  ['lossy', [1, 2, 'gap', 4, 5, 'end']],
  ['lossy', [1, 2, 3, 'gap', 'end']]
] as const)('a kept promise: %s, %j', (promises, what) => {
  expect(broken(promises, outcome(what))).toEqual([])
})

test.each([
  ['log', [1, 2, 4, 5, 'end'], ['lost: 3']],
  ['log', [1, 2, 3, 'gap', 4, 5, 'end'], ['a gap, where nothing was lost']],
  ['replay', [1, 2, 2, 3, 4, 5, 'end'], ['repeated or out of order: 1,2,2,3,4,5']],
  ['state', [3, 5, 'end'], ['states that stood and were not seen: 2']],
  ['state', [2, 'gap', 5, 'end'], ['a gap, which a state has none of']],
  ['lossy', [1, 2, 4, 5, 'end'], ['lost without a gap: 3']],
  ['lossy', ['gap', 1, 2, 4, 5, 'end'], ['lost without a gap: 3']],
  ['log', [1, 2, 3, 4, 5, 6, 'end'], ['steps that the server does not have: 1,2,3,4,5,6']],
  ['log', [1, 2, 3, 4, 5], ['the end: output,output,output,output,output']],
  ['log', [1, 2, 3, 4, 'end', 5], ['the end: output,output,output,output,succeeded,output']]
] as const)('a broken promise: %s, %j', (promises, what, wrong) => {
  expect(broken(promises, outcome(what))).toEqual(wrong)
})

test('a loop that has not ended, and a server that has not done its steps', () => {
  expect(broken('log', outcome([1, 2, 3, 4, 5, 'end'], { over: undefined }))).toEqual(['the loop: has not ended'])
  expect(broken('state', outcome([2, 5, 'end'], { record: [2, 5] }))).toEqual(["the server's record is 2,5"])
})
