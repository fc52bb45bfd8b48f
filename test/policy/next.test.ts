import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import {
  candidates,
  DEMOTION_MS,
  disappoint,
  type End,
  emptyHistory,
  type Failure,
  type History,
  MAX_DEMOTION_MS,
  next,
  ranking,
  record,
  retrialMs,
  USEFUL_LIFE_MS
} from '../../src/policy/next.ts'

const order = ['websocket', 'sse', 'long-poll', 'short-poll']
const retry = { baseMs: 250, maxMs: 30_000, attempts: Infinity }
const most = (): number => 1
const half = (): number => 0.5
const now = 1_000_000

const failed = (...failures: Failure[]): End => ({ kind: 'failed', failures })
const failure = (transport: string, status?: number): Failure =>
  status === undefined ? { transport, reason: 'timeout', message: 'no answer' } : { transport, reason: 'status', status, message: `answered ${status}` }
const lost = (livedMs: number, events = 0, byeMs?: number): End => ({ kind: 'lost', livedMs, events, byeMs })
const short = lost(200)
const useful = lost(USEFUL_LIFE_MS, 1)

/** The history of these rounds, each carried by the transport, a second apart. */
const historyOf = (transport: string, ...outcomes: End[]): History =>
  outcomes.reduce((history, outcome, round) => record(history, { ...outcome, transport }, now + round * 1000), emptyHistory(order))

const waitMs = (history: History, random = most): number | undefined => {
  const step = next(history, retry, random)
  if (step && step.do !== 'wait') throw new Error(`expected a pause, got ${step.do}`)
  return step?.ms
}

describe('after a live link was lost', () => {
  test('at once, after a life of 5 s or more', () => {
    expect(next(historyOf('sse', useful), retry, most)).toBeUndefined()
    expect(next(historyOf('sse', short, short, useful), retry, most)).toBeUndefined()
  })

  test('within baseMs, jittered, after a shorter one that delivered, however often', () => {
    const history = historyOf('sse', lost(4999, 1), lost(10, 3), lost(10, 1))
    expect(waitMs(history)).toBe(250)
    expect(waitMs(history, half)).toBe(125)
  })

  test('growing, full jitter, after one that did not', () => {
    const rounds = [short, short, short, short]
    expect(rounds.map((_, index) => waitMs(historyOf('sse', ...rounds.slice(0, index + 1))))).toEqual([250, 500, 1000, 2000])
    expect(waitMs(historyOf('sse', short, short), half)).toBe(250)
  })

  test('a delivered event makes the pauses small again, a life without one does not', () => {
    expect(waitMs(historyOf('sse', short, short, short, lost(200, 1)))).toBe(250)
    expect(waitMs(historyOf('sse', short, short, short, lost(200, 1), short))).toBe(250)
    expect(waitMs(historyOf('sse', short, failed(), short))).toBe(1000)
  })

  test('the attempts are used up by lives that brought nothing, not by those that did', () => {
    const twice = { ...retry, attempts: 2 }
    expect(next(historyOf('sse', short), twice, most)?.do).toBe('wait')
    expect(next(historyOf('sse', short, short), twice, most)).toEqual({ do: 'stop', status: undefined, failures: [] })
    expect(next(historyOf('sse', short, lost(200, 1), short), twice, most)?.do).toBe('wait')
    expect(next(historyOf('sse', short, useful), { ...retry, attempts: 1 }, most)).toBeUndefined()
  })
})

describe('after a round in which nobody delivered', () => {
  const everywhere = (status: number, ...others: Failure[]): End => failed(...order.slice(1).map((name) => failure(name, status)), ...others)

  test('pauses that grow up to maxMs, with full jitter', () => {
    const rounds = Array.from({ length: 9 }, () => failed(failure('sse')))
    expect(rounds.map((_, index) => waitMs(historyOf('sse', ...rounds.slice(0, index + 1))))).toEqual([
      250, 500, 1000, 2000, 4000, 8000, 16_000, 30_000, 30_000
    ])
    expect(waitMs(historyOf('sse', ...rounds), half)).toBe(15_000)
  })

  test('gives up once the attempts are used up, with what the last round was like', () => {
    const round = failed(failure('websocket'), failure('sse', 502))
    const thrice = { ...retry, attempts: 3 }
    expect(next(historyOf('sse', round, round), thrice, most)?.do).toBe('wait')
    expect(next(historyOf('sse', round, round, round), thrice, most)).toEqual({
      do: 'stop',
      status: undefined,
      failures: [failure('websocket'), failure('sse', 502)]
    })
  })

  test.each([400, 401, 403, 404, 405, 410, 451])('throws where every path answered %d', (status) => {
    expect(next(historyOf('sse', everywhere(status)), retry, most)).toMatchObject({ do: 'stop', status })
  })

  test('a WebSocket has no vote: browsers hide its status', () => {
    expect(next(historyOf('sse', everywhere(403, failure('websocket'))), retry, most)).toMatchObject({ do: 'stop', status: 403 })
    expect(next(historyOf('sse', everywhere(403, failure('websocket', 404))), retry, most)).toMatchObject({ do: 'stop', status: 403 })
    expect(next(historyOf('sse', failed(failure('websocket', 403))), retry, most)?.do).toBe('wait')
  })

  test.each([
    ['paths that don’t agree', failed(failure('sse', 403), failure('long-poll', 404))],
    ['a path that gave no status', failed(failure('sse', 403), failure('long-poll'))],
    ['5xx everywhere: a deploy', everywhere(502)],
    ['500 everywhere', everywhere(500)],
    ['503 everywhere', everywhere(503)],
    ['408 everywhere: somebody’s patience', everywhere(408)],
    ['429 everywhere: somebody’s limit', everywhere(429)],
    ['nothing to vote with', failed()]
  ])('waits out %s', (_, outcome) => {
    expect(waitMs(historyOf('sse', outcome))).toBe(250)
  })
})

describe('after the server said so', () => {
  test('Retry-After is a floor: jitter comes on top, as much again or what the failures ask for', () => {
    const busy = (atLeastMs: number): End => ({ kind: 'busy', atLeastMs })
    expect([0, 0.5, 1].map((chance) => waitMs(historyOf('sse', busy(7000)), () => chance))).toEqual([7000, 10_500, 14_000])
    expect(waitMs(historyOf('sse', busy(100)), () => 1)).toBe(350)
    expect(waitMs(historyOf('sse', busy(100), busy(100), busy(100)), () => 1)).toBe(1100)
  })

  test('bye spreads the clients over its time', () => {
    const bye = lost(USEFUL_LIFE_MS, 1, 4000)
    expect([0, 0.5, 1].map((chance) => waitMs(historyOf('sse', bye), () => chance))).toEqual([0, 2000, 4000])
    expect(waitMs(historyOf('sse', short, short, bye, short))).toBe(250)
  })

  test('bye after a short life is a short life: at least a jittered pause within baseMs, growing where nothing was delivered', () => {
    expect(waitMs(historyOf('sse', lost(200, 1, 0), lost(200, 1, 0)))).toBe(250)
    expect(waitMs(historyOf('sse', lost(200, 1, 0)), half)).toBe(125)
    expect(waitMs(historyOf('sse', lost(200, 0, 0), lost(200, 0, 0), lost(200, 0, 0)))).toBe(1000)
    expect(waitMs(historyOf('sse', lost(200, 1, 4000)))).toBe(4000)
    expect(next(historyOf('sse', lost(USEFUL_LIFE_MS, 1, 0)), retry, most)).toBeUndefined()
  })

  test('bye says nothing against the transport: it goes first, and keeps its rank', () => {
    const history = historyOf('sse', lost(200, 0, 0), lost(200, 0, 0))
    expect(candidates(history, now)).toEqual(['sse', 'websocket', 'long-poll', 'short-poll'])
    expect(ranking(history, now)).toEqual(order)
  })

  test('nothing comes before the next round where the last was called off', () => {
    expect(next(historyOf('sse', { kind: 'released' }), retry, most)).toBeUndefined()
    expect(next(historyOf('sse', short, { kind: 'released' }), retry, most)).toBeUndefined()
  })

  test('nothing comes before the first round', () => expect(next(emptyHistory(order), retry, most)).toBeUndefined())
})

describe('ranking', () => {
  const sseLast = ['websocket', 'long-poll', 'short-poll', 'sse']

  test('is the order of preference, whatever works', () => {
    expect(ranking(emptyHistory(order), now)).toEqual(order)
    expect(ranking(historyOf('short-poll', useful), now)).toEqual(order)
  })

  test('two short lives in a row rank a transport below the others', () => {
    expect(ranking(historyOf('sse', short), now)).toEqual(order)
    expect(ranking(historyOf('sse', short, short), now)).toEqual(sseLast)
    expect(ranking(historyOf('sse', lost(200, 5), lost(200, 5)), now)).toEqual(sseLast)
    expect(ranking(historyOf('sse', short, useful, short), now)).toEqual(order)
  })

  test('until some time has passed', () => {
    const history = historyOf('sse', short, short)
    const { demotedUntil = 0 } = history.records.sse ?? {}
    expect(demotedUntil).toBe(now + 1000 + DEMOTION_MS)
    expect(ranking(history, demotedUntil - 1)).toEqual(sseLast)
    expect(ranking(history, demotedUntil)).toEqual(order)
  })

  test('each further short life doubles it, up to half an hour; a useful one begins anew', () => {
    const spans = Array.from({ length: 9 }, (_, more) => {
      const rounds = 2 + more
      const history = historyOf('sse', ...Array.from({ length: rounds }, () => short))
      return ((history.records.sse?.demotedUntil ?? 0) - now - (rounds - 1) * 1000) / DEMOTION_MS
    })
    expect(spans).toEqual([1, 2, 4, 8, 16, 30, 30, 30, 30])
    expect(MAX_DEMOTION_MS).toBe(30 * DEMOTION_MS)
    const again = historyOf('sse', short, short, short, useful, short, short)
    expect(again.records.sse?.demotedUntil).toBe(now + 5000 + DEMOTION_MS)
  })

  test('to be mute counts as a short life; a planned close neither way', () => {
    const mute = disappoint(disappoint(emptyHistory(order), 'sse', now), 'sse', now)
    expect(ranking(mute, now)).toEqual(sseLast)
    expect(ranking(record(mute, { ...lost(200, 1, 0), transport: 'sse' }, now), now)).toEqual(sseLast)
  })

  test('a useful life ends it at once', () => expect(ranking(historyOf('sse', short, short, useful), now)).toEqual(order))

  test('the lives of others don’t count', () => {
    const one = record(emptyHistory(order), { ...short, transport: 'websocket' }, now)
    expect(ranking(record(one, { ...short, transport: 'sse' }, now), now)).toEqual(order)
  })

  test('those in disgrace keep their order', () => {
    const [sse, both] = [historyOf('sse', short, short), historyOf('websocket', short, short)]
    expect(ranking({ ...sse, records: { ...sse.records, ...both.records } }, now)).toEqual(['long-poll', 'short-poll', 'websocket', 'sse'])
  })
})

describe('candidates', () => {
  test('start with what worked, and keep the rank as it is', () => {
    const won = { ...emptyHistory(order), favourite: 'long-poll' }
    expect(candidates(won, now)).toEqual(['long-poll', 'websocket', 'sse', 'short-poll'])
    expect(ranking(won, now)).toEqual(order)
    expect(candidates(historyOf('sse', useful), now)[0]).toBe('sse')
    expect(candidates(historyOf('sse', { kind: 'busy', atLeastMs: 100 }), now)[0]).toBe('sse')
  })

  test('are by rank after a short life', () => {
    expect(candidates(historyOf('short-poll', short), now)).toEqual(order)
    expect(candidates(historyOf('websocket', short, short), now)).toEqual(['sse', 'long-poll', 'short-poll', 'websocket'])
  })

  test('leave out what is remembered but not there', () => {
    expect(candidates({ ...emptyHistory(['sse']), favourite: 'websocket' }, now)).toEqual(['sse'])
  })
})

describe('what is better than the live transport is tried again', () => {
  test('soon at first, then ever more rarely, but within a minute', () => {
    expect([0, 1, 2, 3, 4, 50, 2000].map((tries) => retrialMs(tries, most))).toEqual([5000, 10_000, 20_000, 40_000, 45_000, 45_000, 45_000])
  })

  test('the second half of the pause is chance', () => expect(retrialMs(1, () => 0)).toBe(5000))
})

describe('properties', () => {
  const outcomes = fc.oneof<fc.Arbitrary<End>[]>(
    fc.record({ kind: fc.constant('lost' as const), livedMs: fc.nat({ max: 10_000 }), events: fc.nat({ max: 3 }), byeMs: fc.constantFrom(undefined, 0, 3000) }),
    fc
      .array(fc.record({ transport: fc.constantFrom(...order), status: fc.constantFrom(undefined, 403, 404, 502) }))
      .map((votes) => failed(...votes.map(({ transport, status }) => failure(transport, status)))),
    fc.record({ kind: fc.constant('busy' as const), atLeastMs: fc.constantFrom(0, 5000) }),
    fc.constant<End>({ kind: 'released' })
  )
  const rounds = fc.array(fc.tuple(outcomes, fc.constantFrom(undefined, ...order)), { maxLength: 12 })
  const histories = rounds.map((all) =>
    all.reduce((history, [outcome, transport], round) => record(history, { ...outcome, transport }, now + round * 1000), emptyHistory(order))
  )

  test('every supported transport is a candidate, once', () => {
    fc.assert(
      fc.property(histories, (history) => {
        expect([...candidates(history, now)].sort()).toEqual([...order].sort())
        expect([...ranking(history, now)].sort()).toEqual([...order].sort())
      }),
      { numRuns: 3000 }
    )
  })

  test('a pause is finite, not negative, and no shorter than the server asked', () => {
    fc.assert(
      fc.property(histories, fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true }), (history, chance) => {
        const step = next(history, retry, () => chance)
        if (step?.do !== 'wait') return
        const floorMs = history.last.kind === 'busy' ? history.last.atLeastMs : 0
        expect(Number.isFinite(step.ms)).toBe(true)
        expect(step.ms).toBeGreaterThanOrEqual(floorMs)
        expect(step.ms).toBeLessThanOrEqual(floorMs + retry.maxMs)
      }),
      { numRuns: 3000 }
    )
  })

  test('rounds that deliver nothing end within the attempts, whatever they are like', () => {
    const barren = fc.constantFrom(short, failed(failure('sse')), failed(failure('sse', 502)))
    fc.assert(
      fc.property(fc.array(barren, { minLength: 1, maxLength: 10 }), fc.integer({ min: 1, max: 10 }), (all, attempts) => {
        const step = next(historyOf('sse', ...all), { ...retry, attempts }, most)
        expect(step?.do).toBe(all.length >= attempts ? 'stop' : 'wait')
      }),
      { numRuns: 3000 }
    )
  })
})
