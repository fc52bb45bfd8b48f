import { expect, test } from 'vitest'
import { createHistory } from '../../src/devtools/history.ts'
import type { Diagnostic, DiagnosticDetail } from '../../src/types.ts'

const did = (at: number, transport: string | undefined, detail: DiagnosticDetail): Diagnostic => ({
  at,
  attempt: 0,
  ...(transport !== undefined && { transport }),
  ...detail
})

function historyOf(...diagnostics: Diagnostic[]) {
  const history = createHistory()
  for (const diagnostic of diagnostics) history.add(diagnostic)
  return history
}

const bars = ({ bars }: ReturnType<typeof createHistory>) => bars.map(({ lane, kind, from, to, outcome, why }) => [lane, kind, from, to, outcome, why])

test('a probe ends as proved, failed or abandoned', () => {
  const history = historyOf(
    did(0, 'websocket', { type: 'probe-started' }),
    did(250, 'sse', { type: 'probe-started' }),
    did(300, 'sse', { type: 'probe-proved', afterMs: 50 }),
    did(400, 'long-poll', { type: 'probe-started' }),
    did(450, 'long-poll', { type: 'probe-abandoned', afterMs: 50 }),
    did(500, 'short-poll', { type: 'probe-started' }),
    did(5000, 'websocket', { type: 'probe-failed', afterMs: 5000, reason: 'status', status: 504 })
  )
  expect(bars(history)).toEqual([
    ['websocket', 'probe', 0, 5000, 'failed', 'status 504'],
    ['sse', 'probe', 250, 300, 'proved', undefined],
    ['long-poll', 'probe', 400, 450, 'abandoned', undefined],
    ['short-poll', 'probe', 500, undefined, 'running', undefined]
  ])
})

test('a probe whose start was not seen begins where its end says', () => {
  expect(bars(historyOf(did(900, 'sse', { type: 'probe-failed', afterMs: 400, reason: 'mute' })))).toEqual([['sse', 'probe', 500, 900, 'failed', 'mute']])
})

test('what is live ends when it is lost, or exchanged for a better one', () => {
  const history = historyOf(
    did(100, 'sse', { type: 'live', afterMs: 100 }),
    did(200, 'websocket', { type: 'switched', from: 'sse' }),
    did(200, 'websocket', { type: 'live', afterMs: 200 }),
    did(900, 'websocket', { type: 'lost', afterMs: 700, reason: 'cut', events: 3 })
  )
  expect(bars(history)).toEqual([
    ['sse', 'live', 100, 200, 'closed', undefined],
    ['websocket', 'live', 200, 900, 'failed', 'cut']
  ])
})

test('an event belongs to what is live, or was just closed, else to the first read', () => {
  const history = createHistory()
  history.tick(50)
  history.add(did(100, 'sse', { type: 'live', afterMs: 20 }))
  history.tick(150)
  history.rest(200)
  history.tick(250) // the loop is slower than the connection
  history.tick(5000)
  expect(Object.fromEntries(history.ticks)).toEqual({ 'first-read': [50, 5000], sse: [150, 250] })
  expect(bars(history)).toEqual([['sse', 'live', 100, 200, 'closed', undefined]])
})

test('a pause ends when something is tried again', () => {
  const history = historyOf(did(0, undefined, { type: 'waiting', ms: 1000, reason: 'unreachable' }), did(600, 'sse', { type: 'probe-started' }))
  expect(history.pauses.map(({ from, to }) => [from, to])).toEqual([[0, 600]])
  history.add(did(700, undefined, { type: 'offline' }))
  history.add(did(900, undefined, { type: 'online' }))
  expect(history.pauses.map(({ from, to }) => [from, to])).toEqual([
    [0, 600],
    [700, 900]
  ])
})

test('what nobody tells the end of ends where it is stopped', () => {
  const history = historyOf(
    did(0, 'websocket', { type: 'probe-started' }),
    did(10, 'sse', { type: 'live', afterMs: 10 }),
    did(20, undefined, { type: 'offline' })
  )
  history.rest(30, true)
  expect(bars(history)).toEqual([
    ['websocket', 'probe', 0, 30, 'abandoned', undefined],
    ['sse', 'live', 10, 30, 'closed', undefined]
  ])
  expect(history.pauses).toMatchObject([{ from: 20, to: 30 }])
})
