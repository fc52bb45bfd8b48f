import { describe, expect, test } from 'vitest'
import {
  betterThan,
  DEMOTION_MS,
  MAX_DEMOTION_MS,
  type Ranked,
  type Records,
  ranking,
  recordShortLife,
  recordUsefulLife,
  USEFUL_LIFE_MS
} from '../../src/policy/ranking.ts'

const order = ['websocket', 'sse', 'long-poll', 'short-poll']
const sseLast = ['websocket', 'long-poll', 'short-poll', 'sse']
const now = 1_000_000

/** The records after these lives of the transport, one second apart. */
const lives = (transport: string, ...all: ('short' | 'useful')[]): Records =>
  all.reduce<Records>(
    (records, life, index) => (life === 'short' ? recordShortLife(records, transport, now + index * 1000) : recordUsefulLife(records, transport)),
    {}
  )
const times = (count: number): 'short'[] => Array.from({ length: count }, () => 'short')
const ranked = (records: Records = {}): Ranked => ({ order, records })

describe('ranking', () => {
  test('is the order of preference, whatever works', () => {
    expect(ranking(ranked(), now)).toEqual(order)
    expect(ranking(ranked(lives('short-poll', 'useful')), now)).toEqual(order)
  })

  test('leaves the order that it was given as it was', () => {
    const own = [...order]
    ranking({ order: own, records: lives('websocket', 'short', 'short') }, now)
    expect(own).toEqual(order)
  })

  test('two short lives in a row rank a transport below the others', () => {
    expect(ranking(ranked(lives('sse', 'short')), now)).toEqual(order)
    expect(ranking(ranked(lives('sse', 'short', 'short')), now)).toEqual(sseLast)
    expect(ranking(ranked(lives('sse', 'short', 'useful', 'short')), now)).toEqual(order)
  })

  test('until some time has passed', () => {
    const records = lives('sse', 'short', 'short')
    const { demotedUntil = 0 } = records.sse ?? {}
    expect(demotedUntil).toBe(now + 1000 + DEMOTION_MS)
    expect(ranking(ranked(records), demotedUntil - 1)).toEqual(sseLast)
    expect(ranking(ranked(records), demotedUntil)).toEqual(order)
  })

  test('each further short life doubles it, up to half an hour; a useful one begins anew', () => {
    const spans = Array.from({ length: 9 }, (_, more) => {
      const count = 2 + more
      return ((lives('sse', ...times(count)).sse?.demotedUntil ?? 0) - now - (count - 1) * 1000) / DEMOTION_MS
    })
    expect(spans).toEqual([1, 2, 4, 8, 16, 30, 30, 30, 30])
    expect(MAX_DEMOTION_MS).toBe(30 * DEMOTION_MS)
    expect(USEFUL_LIFE_MS).toBe(5000)
    expect(lives('sse', ...times(3), 'useful', ...times(2)).sse?.demotedUntil).toBe(now + 5000 + DEMOTION_MS)
  })

  test('however many short lives there were, the span stays finite', () => {
    expect((lives('sse', ...times(3000)).sse?.demotedUntil ?? 0) - now - 2_999_000).toBe(MAX_DEMOTION_MS)
  })

  test('a useful life ends it at once', () => expect(ranking(ranked(lives('sse', 'short', 'short', 'useful')), now)).toEqual(order))

  test('the lives of others don’t count', () => {
    const records = recordShortLife(lives('websocket', 'short'), 'sse', now)
    expect(ranking(ranked(records), now)).toEqual(order)
    expect(records.websocket).toEqual({ shortLives: 1, demotedUntil: 0 })
  })

  test('demoted ones keep their order', () => {
    const records = { ...lives('sse', 'short', 'short'), ...lives('websocket', 'short', 'short') }
    expect(ranking(ranked(records), now)).toEqual(['long-poll', 'short-poll', 'websocket', 'sse'])
  })
})

describe('better than a transport', () => {
  test.each([
    ['websocket', []],
    ['sse', ['websocket']],
    ['short-poll', ['websocket', 'sse', 'long-poll']]
  ])('%s is what ranks above it', (transport, better) => expect(betterThan(ranked(), transport, now)).toEqual(better))

  test('is nothing that is demoted, unless that one is as well', () => {
    expect(betterThan(ranked(lives('websocket', 'short', 'short')), 'sse', now)).toEqual([])
    expect(betterThan(ranked({ ...lives('websocket', 'short', 'short'), ...lives('sse', 'short', 'short') }), 'sse', now)).toEqual([
      'long-poll',
      'short-poll',
      'websocket'
    ])
  })

  test('are all where there is none, or where it is not there any more', () => {
    expect(betterThan(ranked(), undefined, now)).toEqual(order)
    expect(betterThan({ order: ['sse'], records: {} }, 'websocket', now)).toEqual(['sse'])
  })
})
