/**
 * What every race promises, tested with random sequences of events in virtual time. Deliberate mistakes have to be found, which proves that
 * the checks work.
 */

import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import * as racing from '../../src/policy/race.ts'
import type { Rules } from './race-driver.ts'
import { play } from './race-play.ts'

const tapes = fc.uint8Array({ minLength: 40, maxLength: 300, size: 'max' })
const racesBy = (rules: Rules) => fc.property(tapes, (tape) => play(tape, rules))

test('whatever happens to it, a race keeps what was promised', { timeout: 120_000 }, () => {
  fc.assert(racesBy(racing), { numRuns: 20_000 })
})

const mistakes: Record<string, Partial<Rules>> = {
  'the stagger is left out': { opened: (race, now, policy) => racing.opened(race, now, { ...policy, staggerMs: 0 }) },
  'the next one waits although the latest has failed': {
    probeEnded: (race, transport, ...more) => {
      const next = racing.probeEnded(race, transport, ...more)
      return next.phase === race.phase ? { ...next, nextAt: race.nextAt } : next
    }
  },
  'any failure starts the next one': {
    probeEnded: (race, transport, why, now, policy) => ({ ...racing.probeEnded(race, transport, why, now, policy), nextAt: now })
  },
  'better ones are given up once a lesser one is live': { goneLive: (race, ...more) => ({ ...racing.goneLive(race, ...more), queue: [], probing: [] }) },
  'lesser ones go on': { goneLive: (race, ...more) => ({ ...racing.goneLive(race, ...more), queue: race.queue }) },
  'what is tried again is tried too late': {
    begin: (race, now, policy) => {
      const next = racing.begin(race, now, policy)
      return next.phase.kind === 'live' ? { ...next, phase: { ...next.phase, upgradeAt: next.phase.upgradeAt + 45_000 } } : next
    }
  },
  'what is tried again is open still': { begin: (race, ...more) => racing.begin({ ...race, probing: [] }, ...more) },
  'a short life is not held against a transport': { lost: (race, loss, ...more) => ({ ...racing.lost(race, loss, ...more), records: race.records }) },
  'nor to have been mute': { probeEnded: (race, ...more) => ({ ...racing.probeEnded(race, ...more), records: race.records }) },
  'what did not last goes first again': { lost: (race, ...more) => ({ ...racing.lost(race, ...more), favourite: race.favourite }) },
  'a life that brought nothing begins anew': { lost: (race, loss, ...more) => racing.lost(race, { ...loss, events: 1 }, ...more) },
  'a pause that was asked for is cut short': {
    woken: (race, now) => racing.woken(race.phase.kind === 'waiting' ? { ...race, phase: { ...race.phase, byServer: false } } : race, now)
  },
  'the longest pause is none': { paused: (race, atLeastMs, ...more) => racing.paused(race, atLeastMs > 2 ** 31 ? 0 : atLeastMs, ...more) },
  'a pause beside a live link is forgotten by a takeover': { goneLive: (race, ...more) => ({ ...racing.goneLive(race, ...more), quietUntil: 0 }) },
  'a pause beside a live link is forgotten by a page that is seen': { woken: (race, now) => ({ ...racing.woken(race, now), quietUntil: 0 }) },
  'a deploy is taken for the end': { lost: (race, ...more) => ({ ...racing.lost(race, ...more), liveAt: undefined }) },
  'a deploy never ends': { probeEnded: (race, transport, why, now, policy) => racing.probeEnded({ ...race, liveAt: now }, transport, why, now, policy) },
  'what hides its status has a vote': {
    probeEnded: (race, transport, why, ...more) => racing.probeEnded(race, transport, why && { ...why, hidesStatus: false }, ...more)
  },
  'nobody has a vote': { probeEnded: (race, transport, why, ...more) => racing.probeEnded(race, transport, why && { ...why, hidesStatus: true }, ...more) },
  'one attempt too many': {
    probeEnded: (race, transport, why, now, policy) =>
      racing.probeEnded(race, transport, why, now, { ...policy, retry: { ...policy.retry, attempts: policy.retry.attempts + 1 } })
  },
  'pauses that grow for ever': {
    probeEnded: (race, transport, why, now, policy) => racing.probeEnded(race, transport, why, now, { ...policy, retry: { ...policy.retry, maxMs: 3_000_000 } })
  },
  'a queue that nobody begins': { begin: (race, ...more) => ({ ...racing.begin(race, ...more), queue: [] }) },
  'a pause that is over, for ever': { begin: (race) => race }
}

describe('it is noticed where', () => {
  test.each(Object.entries(mistakes))('%s', (_, mistaken) => {
    expect(fc.check(racesBy({ ...racing, ...mistaken }), { numRuns: 6000, endOnFailure: true }).failed).toBe(true)
  })
})
