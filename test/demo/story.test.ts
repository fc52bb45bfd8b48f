import { expect, test } from 'vitest'
import { nextAct } from '../../demo/page/acts.ts'
import { emptyBareView, inWords, withBareEvent, withConnection } from '../../demo/page/bare-view.ts'
import { type Happening, noCaption, withHappening } from '../../demo/page/caption.ts'
import { compare, isExact, inWords as proofInWords } from '../../demo/page/proof.ts'
import type { DiagnosticDetail, JobEvent } from '../../src/types.ts'

const did = (at: number, transport: string | undefined, detail: DiagnosticDetail): Happening => ({
  at,
  attempt: 0,
  ...(transport !== undefined && { transport }),
  ...detail
})
const click = (at: number): Happening => ({ type: 'act', at, sentence: 'You broke it.' })
const captionOf = (...happenings: Happening[]): string => happenings.reduce(withHappening, noCaption).sentence

test.each<[string, Happening[], string]>([
  ['first connection', [did(0, 'websocket', { type: 'live', afterMs: 10 })], 'A WebSocket carries the news of the job.'],
  ['act', [did(0, 'websocket', { type: 'live', afterMs: 10 }), click(100)], 'You broke it.'],
  [
    'loss',
    [did(0, 'websocket', { type: 'live', afterMs: 10 }), did(900, 'websocket', { type: 'lost', afterMs: 900, reason: 'silent', events: 5 })],
    'The WebSocket fell silent. Jobtail looks for another way.'
  ],
  [
    'another transport after a loss',
    [click(100), did(900, 'websocket', { type: 'lost', afterMs: 900, reason: 'silent', events: 5 }), did(1600, 'sse', { type: 'live', afterMs: 300 })],
    'The WebSocket fell silent, so an event stream took over, 1.5 s after your click.'
  ],
  [
    'the same transport after a loss',
    [click(100), did(200, 'websocket', { type: 'lost', afterMs: 900, reason: 'cut', events: 5 }), did(600, 'websocket', { type: 'live', afterMs: 300 })],
    'The WebSocket was cut and came back, 0.5 s after your click.'
  ],
  [
    'a transport that never delivered',
    [did(500, 'websocket', { type: 'probe-failed', afterMs: 500, reason: 'mute' }), did(600, 'sse', { type: 'live', afterMs: 600 })],
    'The WebSocket opened but delivered nothing, so an event stream took over.'
  ],
  [
    'a probe that fails beside what is live',
    [did(0, 'sse', { type: 'live', afterMs: 10 }), click(100), did(500, 'websocket', { type: 'probe-failed', afterMs: 500, reason: 'mute' })],
    'You broke it.'
  ],
  [
    'an upgrade',
    [
      did(0, 'sse', { type: 'live', afterMs: 10 }),
      did(500, 'websocket', { type: 'switched', from: 'sse' }),
      did(501, 'websocket', { type: 'live', afterMs: 5 })
    ],
    'The WebSocket delivers now, and took over from the event stream.'
  ],
  [
    'nothing works',
    [did(0, undefined, { type: 'waiting', ms: 900, reason: 'unreachable' })],
    'No way to the server works now. Jobtail waits a little and tries again.'
  ],
  ['offline', [did(0, undefined, { type: 'offline' })], 'The browser is offline.'],
  [
    'a reason without words of its own',
    [did(0, 'sse', { type: 'lost', afterMs: 1, reason: 'stale', events: 0 })],
    'The event stream failed (stale). Jobtail looks for another way.'
  ]
])('the caption says: %s', (_, happenings, sentence) => {
  expect(captionOf(...happenings)).toBe(sentence)
})

test('the caption does not change with each retry', () => {
  const waits = [900, 1800, 3600].map((ms) => did(0, undefined, { type: 'waiting', ms, reason: 'unreachable' }))
  expect(new Set(waits.map((_, index) => captionOf(...waits.slice(0, index + 1)))).size).toBe(1)
})

test('the big button breaks one thing after the other, then mends', () => {
  const labels = ({ webSocket = 'pass', bufferStreams = false, awayMs = 0, wasAway = false }) =>
    nextAct({ faults: { webSocket, bufferStreams, requestLimitMs: 0 }, awayMs }, wasAway).label
  expect([
    labels({}),
    labels({ webSocket: 'mute' }),
    labels({ webSocket: 'refuse', bufferStreams: true }),
    labels({ webSocket: 'mute', bufferStreams: true, awayMs: 4000, wasAway: true }),
    labels({ bufferStreams: true })
  ]).toEqual(['Break the connection', 'Break the next one', 'Take the server away', 'Mend the network', 'Break the connection'])
})

const events = (...types: string[]): JobEvent[] =>
  types.map((type, index) => ({ id: `e-${index + 1}`, seq: index + 1, job: '1', type, time: '', data: { ratio: index / 10 } }) as JobEvent) // as: types as given

test('the proof counts what is lost, repeated, out of order and altered', () => {
  const log = events('started', 'progress', 'progress', 'progress', 'succeeded')
  const [a, b, c, d, e] = log as [JobEvent, JobEvent, JobEvent, JobEvent, JobEvent] // as: five
  const exact = compare(log, log)
  expect([isExact(exact), proofInWords(exact)]).toEqual([true, '0 lost, 0 repeated, 0 out of order'])
  expect(compare([a, b, e], log)).toMatchObject({ lost: 2, repeated: 0, outOfOrder: 0, altered: 0 })
  expect(compare([a, b, b, c, d, e, e], log)).toMatchObject({ lost: 0, repeated: 2, outOfOrder: 0 })
  expect(compare([a, c, b, d, e], log)).toMatchObject({ lost: 0, repeated: 0, outOfOrder: 1 })
  expect(proofInWords(compare([a, { ...b, data: {} } as JobEvent, c, d, e], log))).toBe('0 lost, 0 repeated, 0 out of order, 1 altered') // as: of its type
  expect(isExact(compare([...log, { ...e, id: 'e-6', seq: 6 }], log))).toBe(false)
})

test('a bare connection has stopped where it is behind, and silent for 2 s', () => {
  const [started, half] = events('started', 'progress') as [JobEvent, JobEvent] // as: two
  const open = withConnection(emptyBareView(0), 'open')
  const view = withBareEvent(withBareEvent(open, started, 100), half, 200)
  expect(inWords(open, 'WebSocket', { seq: 0 }, 9000).state).toBe('connecting')
  expect(inWords(view, 'WebSocket', { seq: 2 }, 9000).state).toBe('receiving')
  expect(inWords(view, 'WebSocket', { seq: 40 }, 2100).state).toBe('receiving')
  expect(inWords(view, 'WebSocket', { seq: 40 }, 12_300)).toEqual({
    state: 'stopped',
    headline: 'stopped 12 s ago',
    detail: 'It is still open and reports no error.',
    behind: '38 events behind.'
  })
  expect(inWords(withConnection(view, 'closed'), 'WebSocket', { seq: 3 }, 3000)).toMatchObject({
    detail: 'It was closed. Nothing opens it again.',
    behind: '1 event behind.'
  })
  expect(inWords(withConnection(view, 'closed'), 'EventSource', { seq: 3 }, 3000).detail).toBe('It got an error, and the browser gave up.')
})

test('a bare connection that goes on after a cut, and has the end, says so', () => {
  const [started, end] = events('started', 'succeeded') as [JobEvent, JobEvent] // as: two
  const cut = withConnection(withBareEvent(withConnection(emptyBareView(0), 'open'), started, 100), 'reconnecting')
  const back = withConnection(cut, 'open')
  expect(inWords(back, 'EventSource', { seq: 1 }, 200)).toMatchObject({ state: 'receiving', detail: 'It reconnected by itself.' })
  expect(inWords(withBareEvent(back, end, 5100), 'EventSource', { seq: 2 }, 9000)).toMatchObject({
    state: 'ended',
    headline: 'finished',
    detail: 'It was silent for 5 s. It reconnected by itself.'
  })
})
