import { describe, expect, test } from 'vitest'
import { carriers, exactness, firstAfterMs, isExact, longestGapMs } from '../../e2e/matrix/measure.ts'
import type { Received, Report } from '../../e2e/matrix/page.ts'
import { rows, schedule } from '../../e2e/matrix/rows.ts'
import type { WireEvent } from '../../src/protocol/frames.ts'

const T = Date.parse('2026-01-01T00:00:00Z')

/** A job with an event each 100 ms. */
const log = Array.from(
  { length: 5 },
  (_, index): WireEvent => ({ id: `e-${index + 1}`, job: 'a', seq: index + 1, type: 'output', time: new Date(T + index * 100).toISOString(), data: { index } })
)
/** Each of it received 10 ms later. */
const all = log.map(({ id, seq, type, data }, index): Received => ({ id, seq, type, data, at: T + index * 100 + 10 }))
const report = (events: Received[], over: string | undefined = 'ended'): Report => ({ fetchMs: undefined, startedAt: T, events, diagnostics: [], over })
const received = (seq: number): Received => all[seq - 1] as Received // as: there are five

test('all of it, once and in order', () => {
  const outcome = exactness(log, report(all))
  expect([outcome, isExact(outcome)]).toEqual([{ lost: 0, repeated: 0, outOfOrder: 0, hasEnded: true }, true])
})

describe('what is not exact', () => {
  test.each([
    ['one is lost', [1, 2, 4, 5], { lost: 1, repeated: 0, outOfOrder: 0, hasEnded: true }],
    ['one is repeated', [1, 2, 2, 3, 4, 5], { lost: 0, repeated: 1, outOfOrder: 1, hasEnded: true }],
    ['two are swapped', [1, 3, 2, 4, 5], { lost: 0, repeated: 0, outOfOrder: 1, hasEnded: true }],
    ['the last is missing', [1, 2, 3, 4], { lost: 1, repeated: 0, outOfOrder: 0, hasEnded: false }]
  ])('%s', (_, seqs, expected) => {
    const outcome = exactness(log, report(seqs.map(received)))
    expect([outcome, isExact(outcome)]).toEqual([expected, false])
  })

  test('other data under the same id', () => {
    expect(exactness(log, report([{ ...received(1), data: { index: 7 } }, ...all.slice(1)])).lost).toBe(1)
  })

  test.each(['unreachable: no transport delivered', undefined])('a loop that has not ended by itself: %s', (over) => {
    expect(isExact(exactness(log, { ...report(all), over }))).toBe(false)
  })
})

test('the longest gap is one in which there was something to be had', () => {
  expect(longestGapMs(log, report(all))).toBe(10)
  expect(longestGapMs(log, report(all.map((event) => (event.seq < 3 ? event : { ...event, at: event.at + 1000 }))))).toBe(1010)
  // What was appended before the page began is not held against it.
  expect(longestGapMs(log, { ...report(all.map((event) => ({ ...event, at: T + 5000 }))), startedAt: T + 4950 })).toBe(50)
})

test('the first event after a moment is one that was appended after it', () => {
  const late = all.map((event) => (event.seq === 3 ? { ...event, at: event.at + 500 } : event))
  expect(firstAfterMs(log, late, T + 150)).toBe(560)
  expect(firstAfterMs(log, late, T + 9000)).toBeNaN()
})

test('who carried it, one after the other', () => {
  const diagnostic = { at: T, attempt: 1 }
  const diagnostics = [
    { ...diagnostic, type: 'live', transport: 'sse', afterMs: 1 },
    { ...diagnostic, type: 'live', transport: 'sse', afterMs: 1 },
    { ...diagnostic, type: 'switched', transport: 'websocket', from: 'sse' }
  ] as const
  expect(carriers({ ...report(all), diagnostics: [...diagnostics] })).toEqual(['sse', 'websocket'])
})

test.each(rows)('$name: a job of 200 events and 5 s at least, that goes on well past the fault', ({ pace, afterEvents, liftAfterMs = 0 }) => {
  const due = schedule(pace)
  expect(due.length).toBeGreaterThanOrEqual(200)
  expect(due.at(-1)).toBeGreaterThanOrEqual(Math.max(5000, (due[afterEvents - 1] ?? Number.NaN) + liftAfterMs + 4000))
})
