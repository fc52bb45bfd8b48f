/** The race in tables: what starts when, what goes on, what follows a loss or a pause. race-promises.test.ts has what holds of every race. */

import { describe, expect, test } from 'vitest'
import { plan, prolonged, type RacePolicy, raceOf, upgradePaused, woken } from '../../src/policy/race.ts'
import { ranking, USEFUL_LIFE_MS } from '../../src/policy/ranking.ts'
import { type Driven, drive, failure, NAMES } from './race-driver.ts'

const half = (): number => 0.5
const least = (): number => 0
const retrying = (attempts: number): Partial<RacePolicy> => ({ retry: { baseMs: 250, maxMs: 30_000, attempts } })

/** How long the race waits now, in ms; 0: it does not. */
function waitMs({ race, now }: Driven): number {
  const { phase } = race
  if (phase.kind === 'waiting') return phase.until - now
  if (phase.kind !== 'ready' && phase.kind !== 'racing') throw new Error(`expected a pause, got ${phase.kind}`)
  return 0
}

/** A race in which this transport is live and the others are being tried. */
function liveOn(transport: string, policy: Partial<RacePolicy> = {}): Driven {
  const driven = drive(NAMES, policy)
  driven.run()
  while (!driven.probes.has(transport)) driven.pass(250)
  driven.prove(transport)
  return driven
}

/** A race in which every candidate fails at once. */
function allFail(driven: Driven, status?: number): void {
  for (const name of driven.race.order) driven.fail(name, failure(name, status))
}

describe('candidates start', () => {
  test('one after the other, by the stagger, all hanging', () => {
    const driven = drive()
    driven.pass(10_000)
    expect(driven.opened).toEqual(['websocket@0', 'sse@250', 'long-poll@500', 'short-poll@750'])
    expect(driven.preparedAt).toEqual([0])
  })

  test('the next one at once where the latest fails, and the stagger goes on from there', () => {
    const driven = drive()
    driven.pass(100)
    driven.fail('websocket')
    driven.pass(10_000)
    expect(driven.opened).toEqual(['websocket@0', 'sse@100', 'long-poll@350', 'short-poll@600'])
  })

  test('a failure of an earlier one starts nothing: the latest still has its time', () => {
    const driven = drive()
    driven.pass(300)
    driven.fail('websocket')
    expect(driven.opened).toEqual(['websocket@0', 'sse@250'])
    driven.pass(200)
    expect(driven.opened.at(-1)).toBe('long-poll@500')
  })

  test('only after the one before has failed, with a stagger of Infinity', () => {
    const driven = drive(NAMES, { staggerMs: Infinity })
    driven.pass(60_000)
    expect(driven.opened).toEqual(['websocket@0'])
    driven.fail('websocket')
    driven.pass(60_000)
    expect(driven.opened).toEqual(['websocket@0', 'sse@60000'])
  })

  test('all at once with a stagger of 0', () => {
    const driven = drive(NAMES, { staggerMs: 0 })
    driven.run()
    expect(driven.opened).toEqual(NAMES.map((name) => `${name}@0`))
  })

  test('the favourite first, the others by rank; its rank is no other for that', () => {
    const driven = drive()
    driven.race = { ...driven.race, favourite: 'long-poll' }
    driven.pass(10_000)
    expect(driven.opened).toEqual(['long-poll@0', 'websocket@250', 'sse@500', 'short-poll@750'])
    expect(ranking(driven.race, 0)).toEqual(NAMES)
  })

  test('without a favourite that is not there', () => {
    const driven = drive(['sse'])
    driven.race = { ...driven.race, favourite: 'websocket' }
    driven.run()
    expect(driven.opened).toEqual(['sse@0'])
  })

  test('none where there is none, and nothing fails by that: one may become available', () => {
    const driven = drive([])
    driven.pass(60_000)
    expect(driven.race).toMatchObject({ phase: { kind: 'racing' }, failures: 0 })
  })
})

describe('the first that delivers', () => {
  test('is live; lesser ones don’t start, better ones go on', () => {
    const driven = drive()
    driven.pass(600)
    driven.prove('sse')
    expect(driven.race.phase).toMatchObject({ kind: 'live', transport: 'sse' })
    expect(driven.race).toMatchObject({ probing: ['websocket'], queue: [], favourite: 'sse' })
    driven.pass(2000)
    expect(driven.opened).toEqual(['websocket@0', 'sse@250', 'long-poll@500'])
  })

  test('being a lesser one, better ones still start', () => {
    const driven = drive()
    driven.race = { ...driven.race, favourite: 'long-poll' }
    driven.run()
    driven.prove('long-poll')
    driven.pass(2000)
    expect(driven.opened).toEqual(['long-poll@0', 'websocket@250', 'sse@500'])
  })

  test('wins once: the proof of another changes nothing', () => {
    const driven = drive()
    driven.pass(300)
    driven.prove('sse')
    driven.prove('websocket')
    expect(driven.live).toBe('sse')
  })
})

describe('a better one', () => {
  const withLive = (): Driven => {
    const driven = liveOn('sse')
    driven.prove('websocket')
    return driven
  }

  test('takes over once it serves, and nothing is left to try', () => {
    const driven = withLive()
    driven.serve('websocket')
    expect(driven.race).toMatchObject({ phase: { kind: 'live', transport: 'websocket' }, queue: [], probing: [], failures: 0 })
    expect(plan(driven.race, driven.now)).toEqual({ do: 'wait', until: Infinity })
    driven.pass(600_000)
    expect(driven.preparedAt).toEqual([0])
  })

  test('that fails takes nothing with it', () => {
    const driven = withLive()
    driven.fail('websocket')
    expect(driven.race).toMatchObject({ phase: { kind: 'live', transport: 'sse' }, failures: 0 })
  })

  test('is nothing to one that serves and is lesser, nor to itself', () => {
    const driven = withLive()
    driven.serve('websocket')
    const { race } = driven
    driven.serve('sse')
    driven.serve('websocket')
    expect(driven.race).toBe(race)
  })
})

describe('better ones are tried again', () => {
  const onLongPoll = (policy?: Partial<RacePolicy>): Driven => {
    const driven = drive(NAMES, policy)
    driven.run()
    driven.fail('websocket')
    driven.fail('sse')
    driven.prove('long-poll')
    driven.opened.length = driven.preparedAt.length = 0
    return driven
  }
  /** Every candidate fails as soon as it starts. */
  const passFailing = (driven: Driven, ms: number): void => {
    for (const end = driven.now + ms; driven.now < end; ) {
      driven.pass(50)
      for (const name of driven.probes) driven.fail(name)
    }
  }

  test('with new credentials, staggered, best first; and what serves takes over', () => {
    const driven = onLongPoll()
    driven.pass(6000)
    expect(driven.preparedAt).toEqual([5000])
    expect(driven.opened).toEqual(['websocket@5000', 'sse@5250'])
    driven.serve('websocket')
    expect(driven.live).toBe('websocket')
    expect([...driven.probes]).toEqual([])
  })

  test('after 5, 10, 20, 40 s and then each 45 s: what has become possible is had within a minute', () => {
    const driven = onLongPoll()
    passFailing(driven, 300_000)
    const pauses = driven.preparedAt.map((at, index) => at - (driven.preparedAt[index - 1] ?? 0))
    expect(pauses).toEqual([5000, 10_000, 20_000, 40_000, 45_000, 45_000, 45_000, 45_000, 45_000])
  })

  test('the second half of the pause is chance', () => {
    const driven = onLongPoll({ random: least })
    passFailing(driven, 40_000)
    expect(driven.preparedAt).toEqual([2500, 7500, 17_500, 37_500])
  })

  test('but for one that is still under way', () => {
    const driven = onLongPoll()
    driven.pass(5300)
    driven.fail('sse')
    driven.pass(10_000)
    expect(driven.opened).toEqual(['websocket@5000', 'sse@5250', 'sse@15000'])
  })

  test('not where the live one is the best, nor where all that are better are under way: no token is asked for either', () => {
    const best = liveOn('websocket')
    const waiting = liveOn('sse')
    for (const driven of [best, waiting]) {
      driven.pass(600_000)
      expect(driven.preparedAt).toEqual([0])
    }
  })

  test('by the rank that is valid then', () => {
    const driven = onLongPoll()
    driven.race = { ...driven.race, records: { websocket: { shortLives: 2, demotedUntil: 9000 } } }
    driven.pass(6000)
    expect(driven.opened).toEqual(['sse@5000'])
    driven.fail('sse')
    driven.pass(10_000)
    expect(driven.opened).toEqual(['sse@5000', 'websocket@15000', 'sse@15250'])
  })

  test('at once where there is reason to hope', () => {
    const driven = onLongPoll()
    driven.pass(1000)
    driven.wake()
    expect(driven.opened).toEqual(['websocket@1000'])
  })

  test('no sooner than one of them was told to come back, whatever reason there is to hope', () => {
    const driven = liveOn('sse')
    driven.busyBeside('websocket', 60_000)
    driven.opened.length = 0
    for (let s = 0; s < 59; s += 1) {
      driven.pass(1000)
      driven.wake()
    }
    expect(driven.opened).toEqual([])
    driven.pass(1000)
    expect(driven.opened).toEqual(['websocket@60250'])
  })

  test('a pause of theirs is nothing where nothing is live', () => {
    const race = raceOf(NAMES)
    expect(upgradePaused(race, 60_000, 0)).toBe(race)
  })
})

describe('after a live link was lost', () => {
  /** A link is lost and live again, each time at once. */
  const losing = (transport: string, ...losses: Parameters<Driven['lose']>[0][]): Driven => {
    const driven = liveOn(transport)
    losses.forEach((loss, index) => {
      if (index > 0) {
        driven.pass(waitMs(driven))
        while (!driven.probes.has(transport)) driven.pass(250)
        driven.prove(transport)
      }
      driven.lose(loss)
    })
    return driven
  }
  const short = {}
  const useful = { livedMs: USEFUL_LIFE_MS, events: 1 }

  test('a race begins at once after a life of 5 s or more, with the same transport', () => {
    for (const driven of [losing('sse', useful), losing('sse', short, short, useful)]) {
      expect(driven.race.phase.kind).toBe('racing')
      expect(driven.opened.at(-1)).toBe(`sse@${driven.now}`)
    }
  })

  test('within baseMs after a shorter one that delivered, however often', () => {
    const losses = [
      { livedMs: 4999, events: 1 },
      { livedMs: 10, events: 3 },
      { livedMs: 10, events: 1 }
    ]
    expect(waitMs(losing('sse', ...losses))).toBe(250)
    const jittered = liveOn('sse', { random: half })
    jittered.lose({ livedMs: 10, events: 1 })
    expect(waitMs(jittered)).toBe(125)
  })

  test('growing after one that did not', () => {
    expect([1, 2, 3, 4].map((count) => waitMs(losing('sse', ...Array.from({ length: count }, () => short))))).toEqual([250, 500, 1000, 2000])
  })

  test('a delivered event makes the pauses small again, a life without one does not', () => {
    const delivering = { livedMs: 200, events: 1 }
    expect(waitMs(losing('sse', short, short, short, delivering))).toBe(250)
    expect(waitMs(losing('sse', short, short, short, delivering, short))).toBe(250)
  })

  test('the attempts are used up by lives that brought nothing, not by those that did', () => {
    const driven = liveOn('sse', retrying(2))
    driven.lose()
    expect(driven.race.phase.kind).toBe('waiting')
    driven.pass(1000)
    driven.prove('sse')
    driven.lose({ events: 1 })
    expect(driven.race).toMatchObject({ phase: { kind: 'waiting' }, failures: 0 })
    for (let life = 0; life < 2; life += 1) {
      driven.pass(1500)
      driven.prove('websocket')
      driven.lose()
    }
    expect(plan(driven.race, driven.now)).toMatchObject({ do: 'stop', status: undefined, failures: [] })
  })

  test('even one attempt is not used up by a useful life', () => {
    const driven = liveOn('sse', retrying(1))
    driven.lose(useful)
    expect(driven.race.phase.kind).toBe('racing')
  })

  test('whatever carried it with a short life goes by rank the next time, and after two below the others', () => {
    expect(losing('short-poll', short).race).toMatchObject({ favourite: undefined, records: { 'short-poll': { shortLives: 1 } } })
    const twice = losing('websocket', short, short)
    expect(ranking(twice.race, twice.now)).toEqual(['sse', 'long-poll', 'short-poll', 'websocket'])
  })

  test('nothing that was tried or to be started then is left', () => {
    const driven = liveOn('sse')
    driven.lose()
    expect(driven.race).toMatchObject({ queue: [], probing: [] })
  })

  describe('as the server had planned (bye)', () => {
    test('the clients are spread over its time', () => {
      for (const [chance, ms] of [
        [0, 0],
        [0.5, 2000],
        [1, 4000]
      ] as const) {
        const driven = liveOn('sse', { random: () => chance })
        driven.lose({ ...useful, byeMs: 4000 })
        expect(waitMs(driven)).toBe(ms)
        if (ms > 0) expect(driven.race.phase).toMatchObject({ reason: 'bye', byServer: true })
      }
    })

    test('it says nothing against the transport, which goes first again and keeps its rank', () => {
      const { race, now } = losing('sse', { byeMs: 0 }, { byeMs: 0 })
      expect(race.favourite).toBe('sse')
      expect(ranking(race, now)).toEqual(NAMES)
    })

    test('after a short life it is a short life: at least a pause within baseMs, growing where nothing was delivered', () => {
      expect(waitMs(losing('sse', { events: 1, byeMs: 1 }, { events: 1, byeMs: 1 }))).toBe(250)
      expect(waitMs(losing('sse', { byeMs: 0 }, { byeMs: 0 }, { byeMs: 0 }))).toBe(1000)
      expect(waitMs(losing('sse', { events: 1, byeMs: 4000 }))).toBe(4000)
      expect(losing('sse', { ...useful, byeMs: 0 }).race.phase.kind).toBe('racing')
    })

    test('which asks for no time, after events: its window is used up, and the next one comes at once', () => {
      const driven = losing('sse', { events: 1, byeMs: 0 })
      expect(driven.race).toMatchObject({ phase: { kind: 'racing' }, failures: 0, favourite: 'sse' })
    })

    test('it resets what the failures had grown to, where it has delivered', () =>
      expect(waitMs(losing('sse', short, short, { ...useful, byeMs: 4000 }, short))).toBe(250))
  })
})

describe('after a race in which nobody delivered', () => {
  test('pauses grow up to maxMs, with full jitter', () => {
    for (const [random, share] of [
      [() => 1, 1],
      [half, 0.5]
    ] as const) {
      const driven = drive(NAMES, { random })
      driven.run()
      const pauses = Array.from({ length: 9 }, () => {
        allFail(driven)
        const ms = waitMs(driven)
        driven.pass(ms)
        return ms
      })
      expect(pauses).toEqual([250, 500, 1000, 2000, 4000, 8000, 16_000, 30_000, 30_000].map((ms) => ms * share))
    }
  })

  test.each([
    [1, [250, 250, 500, 1000, 2000, 4000, 8000, 16_000, 30_000, 30_000]],
    [0.5, [125, 125, 125, 188, 281, 422, 633, 949, 1424, 2136]],
    [0, [0, 0, 0, 0, 0, 0, 0, 0, 0, 0]]
  ])('no pause is longer than the outage so far, or baseMs: with chance %d', (chance, expected) => {
    const driven = liveOn('websocket', { random: () => chance })
    driven.lose({ livedMs: USEFUL_LIFE_MS, events: 1, byeMs: undefined })
    const pauses = expected.map(() => {
      driven.run()
      allFail(driven)
      const ms = waitMs(driven)
      driven.pass(ms)
      return Math.round(ms)
    })
    expect(pauses).toEqual(expected)
  })

  test('it is over only once every candidate has had its try', () => {
    const driven = drive(['websocket', 'sse'])
    driven.run()
    driven.fail('websocket')
    expect(driven.race.phase.kind).toBe('racing')
    driven.fail('sse')
    expect(driven.race).toMatchObject({ phase: { kind: 'waiting', reason: 'unreachable', byServer: false }, failures: 1 })
  })

  test('how each failed is kept until the next one begins, in the order of their failures', () => {
    const driven = drive(['websocket', 'sse'])
    driven.pass(250)
    driven.fail('sse', failure('sse', 502))
    driven.fail('websocket', failure('websocket', undefined, 'mute'))
    expect(driven.race.failed).toEqual([failure('sse', 502), failure('websocket', undefined, 'mute')])
    driven.pass(250)
    expect(driven.race.failed).toEqual([])
  })

  test('gives up once the attempts are used up, with what the last race was like', () => {
    const driven = drive(['websocket', 'sse'], retrying(3))
    driven.run()
    for (let races = 0; races < 3; races += 1) {
      expect(driven.race.phase.kind).toBe('racing')
      driven.fail('websocket')
      driven.fail('sse', failure('sse', 502))
      driven.pass(5000)
    }
    expect(plan(driven.race, driven.now)).toMatchObject({ do: 'stop', status: undefined, failures: [failure('websocket'), failure('sse', 502)] })
  })

  test('no credentials are one as well, and count as an attempt', () => {
    const driven = drive(NAMES, retrying(2))
    driven.noCredentials()
    expect(driven.race).toMatchObject({ phase: { kind: 'waiting', ms: 250 }, failures: 1 })
    driven.noCredentials()
    expect(plan(driven.race, driven.now)).toMatchObject({ do: 'stop', failures: [{ transport: 'token' }] })
  })

  test('to have opened and been mute is a short life; other failures are not', () => {
    const driven = drive()
    driven.run()
    for (let races = 0; races < 2; races += 1) {
      for (const name of NAMES) driven.fail(name, failure(name, undefined, name === 'sse' ? 'mute' : 'timeout'))
      if (races === 0) driven.pass(250)
    }
    expect(driven.race.records).toMatchObject({ sse: { shortLives: 2 } })
    expect(ranking(driven.race, driven.now)).toEqual(['websocket', 'long-poll', 'short-poll', 'sse'])
  })

  test('nothing has failed where all that started only ended: nobody needed it, or it had an old token', () => {
    const driven = drive(['sse'], retrying(1))
    driven.run()
    driven.fail('sse', null)
    expect(driven.race.failures).toBe(0)
    expect(driven.opened).toEqual(['sse@0', 'sse@0'])
  })
})

describe('every path gave the same status', () => {
  const race = (statuses: Record<string, number | undefined>): Driven => {
    const driven = drive(Object.keys(statuses))
    driven.run()
    for (const [name, status] of Object.entries(statuses)) driven.fail(name, failure(name, status))
    return driven
  }
  const everywhere = (status: number): Driven => race({ sse: status, 'long-poll': status, 'short-poll': status })

  test.each([400, 401, 403, 404, 405, 410, 451])('%d is the end', (status) => {
    const driven = everywhere(status)
    expect(plan(driven.race, driven.now)).toMatchObject({ do: 'stop', status })
  })

  test('what hides its status has no vote, whatever it says', () => {
    const [silent, other, alone] = [race({ websocket: undefined, sse: 403 }), race({ websocket: 404, sse: 403 }), race({ websocket: 403 })]
    expect([silent, other].map(({ race, now }) => plan(race, now))).toMatchObject([{ status: 403 }, { status: 403 }])
    expect(alone.race.phase.kind).toBe('waiting')
  })

  test.each([
    ['paths that don’t agree', race({ sse: 403, 'long-poll': 404 })],
    ['a path that gave no status', race({ sse: 403, 'long-poll': undefined })],
    ['5xx everywhere: a deploy', everywhere(502)],
    ['500 everywhere', everywhere(500)],
    ['503 everywhere', everywhere(503)],
    ['408 everywhere: somebody’s patience', everywhere(408)],
    ['425 everywhere: too early', everywhere(425)],
    ['429 everywhere: somebody’s limit', everywhere(429)],
    ['200 everywhere: a login page', everywhere(200)],
    ['nothing to vote with', race({ websocket: undefined })]
  ])('%s is waited out', (_, driven) => expect(waitMs(driven)).toBe(250))

  test.each([
    [179_999, 'wait'],
    [180_000, 'stop']
  ])('is a deploy for three minutes after something was live: %d ms', (ms, does) => {
    const driven = drive()
    driven.run()
    driven.prove('websocket')
    driven.pass(60_000)
    driven.lose({ livedMs: 60_000, events: 1, byeMs: ms })
    driven.pass(ms)
    allFail(driven, 404)
    expect(plan(driven.race, driven.now).do).toBe(does)
  })
})

describe('after the server asked for a pause', () => {
  test.each([
    [0, 7000],
    [0.5, 10_500],
    [1, 14_000]
  ])('of 7 s, with chance %d: %d ms', (chance, ms) => {
    const driven = drive(NAMES, { random: () => chance })
    driven.busy(7000)
    expect(waitMs(driven)).toBe(ms)
    expect(driven.race.phase).toMatchObject({ reason: 'busy', byServer: true })
  })

  test('the failures may ask for more on top of it', () => {
    const driven = drive()
    const pauses = Array.from({ length: 3 }, () => {
      driven.busy(100)
      const ms = waitMs(driven)
      driven.pass(ms)
      return ms
    })
    expect(pauses).toEqual([350, 600, 1100])
  })

  test('of thirty days: that long', () => {
    const driven = drive(NAMES, { random: least })
    driven.busy(2_592_000_000)
    driven.pass(2_591_999_999)
    expect(driven.preparedAt).toEqual([])
    driven.pass(1)
    expect(driven.preparedAt).toEqual([2_592_000_000])
  })

  test('what was live goes first again', () => {
    const driven = liveOn('sse')
    driven.busy(1000)
    expect(driven.race.favourite).toBe('sse')
    expect(driven.race).toMatchObject({ queue: [], probing: [] })
  })

  test('nothing cuts it short, nor makes it longer', () => {
    const driven = drive()
    driven.busy(7000)
    expect(woken(driven.race, driven.now)).toBe(driven.race)
    expect(prolonged(driven.race, 60_000, driven.now)).toBe(driven.race)
    driven.letGo()
    expect(waitMs(driven)).toBe(14_000)
  })
})

describe('a pause that nobody has asked for', () => {
  const pausing = (): Driven => {
    const driven = drive(['sse'])
    driven.run()
    driven.fail('sse')
    driven.pass(100)
    return driven
  }

  test('is over where there is reason to hope', () => {
    const driven = pausing()
    driven.wake()
    expect(driven.opened).toEqual(['sse@0', 'sse@100'])
  })

  test('can be prolonged: from now, and never shortened by that', () => {
    const { race, now } = pausing()
    expect(prolonged(race, 30_000, now).phase).toMatchObject({ until: now + 30_000, ms: 30_000 })
    expect(prolonged(race, 10, now).phase).toMatchObject({ until: 250, ms: 250 })
  })

  test('is no business of a race without one', () => {
    const { race, now } = liveOn('websocket')
    expect(prolonged(race, 30_000, now)).toBe(race)
    expect(woken(raceOf(NAMES), 0)).toEqual(raceOf(NAMES))
  })
})

test('called off, it begins anew at once, with what it has learnt', () => {
  const driven = liveOn('sse')
  driven.letGo()
  expect(driven.race).toMatchObject({ phase: { kind: 'ready' }, favourite: 'sse', queue: [], probing: [] })
  driven.run()
  expect(driven.opened.at(-1)).toBe(`sse@${driven.now}`)
})
