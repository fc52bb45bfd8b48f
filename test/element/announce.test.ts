/** What a live region is told, and when: by table, in virtual time. */

import { expect, test } from 'vitest'
import { isNews, type Said } from '../../src/element/announce.ts'

const at = (seconds: number, status: string, rest: Partial<Said> = {}): Said => ({
  status,
  stage: status,
  quarter: 0,
  isLost: false,
  ...rest,
  at: seconds * 1000
})

/** The moments, in seconds, at which something is said. */
function spoken(moments: readonly Said[]): number[] {
  let said: Said | undefined
  return moments.flatMap((now) => {
    const isSaid = isNews(said, now)
    if (isSaid || (!said && now.status !== 'unknown')) said = now
    return isSaid ? [now.at / 1000] : []
  })
}

test.each<[what: string, moments: Said[], seconds: number[]]>([
  ['nothing is known', [at(0, 'unknown'), at(9, 'unknown')], []],
  ['the first status', [at(0, 'unknown'), at(1, 'running')], [1]],
  ['an end that was there before the page', [at(0, 'unknown'), at(1, 'succeeded'), at(9, 'succeeded')], []],
  ['changes of the status, at once', [at(0, 'queued'), at(1, 'running'), at(2, 'succeeded')], [0, 1, 2]],
  ['an end, once', [at(0, 'running'), at(1, 'failed'), at(2, 'failed')], [0, 1]],
  ['every percent', Array.from({ length: 100 }, (_, index) => at(index, 'running', { quarter: Math.floor(index / 25) })), [0, 25, 50, 75]],
  ['a quarter soon after the start', [at(0, 'running'), at(1, 'running', { quarter: 1 }), at(4.9, 'running', { quarter: 1 })], [0]],
  ['the same, 5 s after it', [at(0, 'running'), at(1, 'running', { quarter: 1 }), at(5, 'running', { quarter: 1 })], [0, 5]],
  ['progress that goes back', [at(0, 'running', { quarter: 3 }), at(9, 'running', { quarter: 1 })], [0]],
  ['a new stage each second', Array.from({ length: 12 }, (_, index) => at(index, 'running', { stage: `file ${index}` })), [0, 5, 10]],
  ['a connection that is lost, and comes back', [at(0, 'running'), at(6, 'running', { isLost: true }), at(20, 'running')], [0, 6]],
  [
    'a thousand events in a second',
    Array.from({ length: 1000 }, (_, index) => at(index / 1000, 'running', { stage: `${index}`, quarter: Math.floor(index / 250) })),
    [0]
  ]
])('%s', (_, moments, seconds) => {
  expect(spoken(moments)).toEqual(seconds)
})
