import { describe, expect, test } from 'vitest'
import { type Entry, type Followed, type Had, longestPauseMs, verdictOf, type Written } from '../../bench/cluster/verdict.ts'

const entry = (id: string, hash: string): Entry => ({ id, hash })
/** Each 10 ms after the one before. */
const having = (...ids: readonly (string | Entry)[]): Followed => ({
  job: 'a',
  transport: 'sse',
  over: 'ended',
  breaks: {},
  had: ids.map((id, index): Had => {
    const at = 1000 + 10 * index
    if (id === 'gap') return { gap: true, at }
    return { ...(typeof id === 'string' ? entry(id, `hash ${id.slice(id.indexOf('-') + 1)}`) : id), at, lateMs: 0 }
  })
})
const log = (epoch: string, last: number): Entry[] => Array.from({ length: last }, (_, n) => entry(`${epoch}-${n + 1}`, `hash ${n + 1}`))
const told = (entries: readonly Entry[]): Map<string, string> => new Map(entries.map(({ id, hash }) => [id, hash]))

const kept: Written = { job: 'a', acknowledged: told(log('e', 4)), log: log('e', 4) }
/** Redis has lost the fourth, and another one was appended. */
const cut: Written = {
  job: 'a',
  acknowledged: new Map([...told(log('e', 4)), ['f-4', 'hash other']]),
  log: [...log('f', 3), entry('f-4', 'hash other')]
}
const afterCut = ['f-1', 'f-2', 'f-3', entry('f-4', 'hash other')]

describe('nothing may be lost', () => {
  test('all of it, once and in order', () => {
    const { wrong, kept: found, byTransport } = verdictOf([kept], [having('e-1', 'e-2', 'e-3', 'e-4')], false)
    expect(wrong).toEqual([])
    expect(found).toEqual({ acknowledged: 4, dropped: 0, silentlyDropped: 0, unacknowledged: 0, epochs: 1 })
    expect(byTransport.get('sse')).toEqual({ delivered: 4, lost: 0, repeated: 0, outOfOrder: 0, altered: 0, gaps: 0, unannounced: 0, ended: 1 })
  })

  test.each([
    ['one is lost', having('e-1', 'e-2', 'e-4'), { lost: 1 }],
    ['the last is lost', having('e-1', 'e-2', 'e-3'), { lost: 1 }],
    ['one is repeated', having('e-1', 'e-2', 'e-2', 'e-3', 'e-4'), { repeated: 1 }],
    ['two are swapped', having('e-1', 'e-3', 'e-2', 'e-4'), { outOfOrder: 1, lost: 0 }],
    ['one is another', having('e-1', 'e-2', entry('e-3', 'hash strange'), 'e-4'), { altered: 1 }],
    ['a gap where nothing was lost', having('e-1', 'gap', 'e-2', 'e-3', 'e-4'), { gaps: 1, lost: 0 }],
    ['the loop goes on', { ...having('e-1', 'e-2', 'e-3', 'e-4'), over: undefined }, { ended: 0 }]
  ])('%s', (_, follower, found) => {
    const { wrong, byTransport } = verdictOf([kept], [follower], false)
    expect(wrong).toHaveLength(1)
    expect(byTransport.get('sse')).toMatchObject(found)
  })

  test.each([
    ['an acknowledged event is not in the log', { ...kept, log: log('e', 3) }, { dropped: 1, silentlyDropped: 1 }],
    ['one is in the log that nobody was told of', { ...kept, acknowledged: told(log('e', 3)) }, { unacknowledged: 1 }],
    ['the log has a new epoch', { ...kept, log: log('f', 4) }, { dropped: 0, epochs: 2 }]
  ])('%s', (_, written, found) => {
    const { wrong, kept: sum } = verdictOf([written], [], false)
    expect(wrong).toHaveLength(1)
    expect(sum).toMatchObject(found)
  })
})

describe('Redis may lose its tail', () => {
  test('a gap, and then the new epoch from its start', () => {
    const { wrong, kept: found } = verdictOf([cut], [having('e-1', 'e-2', 'e-3', 'e-4', 'gap', ...afterCut)], true)
    expect(wrong).toEqual([])
    expect(found).toEqual({ acknowledged: 5, dropped: 1, silentlyDropped: 0, unacknowledged: 0, epochs: 2 })
  })

  test('who was behind has no more of the old epoch', () => {
    expect(verdictOf([cut], [having('e-1', 'e-2', 'gap', ...afterCut)], true).wrong).toEqual([])
  })

  test.each([
    ['no gap says so', having('e-1', 'e-2', 'e-3', 'e-4', ...afterCut), { unannounced: 1 }],
    ['the old epoch has a hole', having('e-1', 'e-3', 'gap', ...afterCut), { lost: 1 }],
    ['two were given different events under one id', having('e-1', entry('e-2', 'hash strange'), 'gap', ...afterCut), { altered: 1 }],
    ['the new epoch is not whole', having('e-1', 'gap', 'f-1', 'f-3', entry('f-4', 'hash other')), { lost: 1 }]
  ])('%s', (_, follower, found) => {
    const { wrong, byTransport } = verdictOf([cut], [follower], true)
    expect(wrong).toHaveLength(1)
    expect(byTransport.get('sse')).toMatchObject(found)
  })

  test('a log that has lost events keeps its epoch: silence', () => {
    const { wrong, kept: found } = verdictOf([{ ...kept, log: log('e', 3) }], [having('e-1', 'e-2', 'e-3')], true)
    expect(wrong).toHaveLength(1)
    expect(found).toMatchObject({ dropped: 1, silentlyDropped: 1, epochs: 1 })
  })
})

test('the longest pause is the one that ends between two times', () => {
  const had = [100, 150, 1150, 1200, 1500].map((at): Had => ({ ...entry('e-1', ''), at, lateMs: 0 }))
  expect(longestPauseMs([{ ...having(), had }], 120, 1300)).toBe(1000)
  expect(longestPauseMs([{ ...having(), had }], 1150, 2000)).toBe(300)
})
