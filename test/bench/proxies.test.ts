/** What `npm run proxies` says of what a page got. */

import { expect, test } from 'vitest'
import { figuresOf, type Outcome } from '../../bench/proxies/figures.ts'
import type { Told } from '../../bench/proxies/page.ts'
import { nameOf, setups } from '../../bench/proxies/setups.ts'
import { headOf, rowOf } from '../../bench/proxies/table.ts'
import type { WireEvent } from '../../src/protocol/frames.ts'

const START = Date.parse('2026-11-30T00:00:00.000Z')

/** Events that were appended so long after the start, in ms. */
const logOf = (...appendedMs: number[]): WireEvent[] =>
  appendedMs.map((ms, index) => ({
    id: `e-${index + 1}`,
    seq: index + 1,
    job: '42',
    type: index === appendedMs.length - 1 ? 'succeeded' : 'output',
    time: new Date(START + ms).toISOString(),
    data: index
  }))

/** The page that had these of them, so long after the start. */
const toldOf = (log: readonly WireEvent[], receivedMs: Record<number, number>, over = 'ended'): Told => ({
  who: 'client',
  started: 'yes',
  fetchMs: undefined,
  startedAt: START,
  diagnostics: [],
  over,
  events: Object.entries(receivedMs).map(([seq, ms]) => {
    const event = log[Number(seq) - 1]
    if (!event) throw new Error(`no event ${seq}`)
    const { id, type, data } = event
    return { id, seq: event.seq, type, data, at: START + ms }
  })
})

test('the first event is from the start, what is late from the append, and a rest of the job is no wait', () => {
  const log = logOf(-500, 100, 150, 3150, 3200)
  const figures = figuresOf(log, toldOf(log, { 1: 20, 2: 110, 3: 460, 4: 3155, 5: 3201 }))
  expect(figures).toEqual({ lost: 0, repeated: 0, outOfOrder: 0, hasEnded: true, firstMs: 20, gapMs: 310, lateMs: 310, events: 5, over: 'ended' })
})

test('what never came is lost, and without an end it has not ended', () => {
  const log = logOf(-500, 100, 150, 200)
  const figures = figuresOf(log, toldOf(log, { 1: 20, 3: 160 }, 'gave up'))
  expect(figures).toMatchObject({ lost: 2, hasEnded: false, events: 2, over: 'gave up' })
})

test('a row has a cell for each column, and says how a bare connection failed', () => {
  const log = logOf(-500, 100, 150)
  const whole = figuresOf(log, toldOf(log, { 1: 20, 2: 110, 3: 155 }))
  const outcome: Outcome = {
    client: { ...whole, carriers: ['long-poll', 'sse', 'websocket'], started: 'yes' },
    eventSource: whole,
    webSocket: figuresOf(log, toldOf(log, { 1: 20 }, 'closed (1006)'))
  }
  const row = rowOf({ name: 'nginx', outcome })
  expect(row).toBe('| nginx | 20 | 10 | 10 | long-poll → … → websocket | 0 / 0 / 0 | yes | yes | 20 / 10 / 10 | closed (1006) after 1, 2 lost |')
  const columns = headOf().split('\n')[1]?.split('|').length
  expect(row.split('|')).toHaveLength(columns ?? Number.NaN)
  expect(rowOf({ name: 'nginx', outcome: 'left out: not installed' }).split('|')).toHaveLength(columns ?? Number.NaN)
})

test('each configuration has a name of its own', () => {
  expect(new Set(setups.map(nameOf)).size).toBe(setups.length)
})
