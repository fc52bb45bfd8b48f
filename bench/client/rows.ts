/** The measurements, their contestants and their limits. */

import type { Limit, Metric } from './limits.ts'
import type { Task } from './spec.ts'

export interface Entry {
  label: string
  /** The contestant's name in the page. */
  contestant: string
  task: Task
}

export interface Column {
  metric: Metric
  title: string
  limit?: Limit
  /** Shows the figure without ratios. */
  isPlain?: true
}

export interface Row {
  /** The name that `--only` matches. */
  id: string
  /** The title of the table that this row's columns belong to. */
  table: string
  rttMs: 0 | 100
  entries: readonly Entry[]
  columns: readonly Column[]
  /** The label of the contestant that has limits; `other` is the one that all are compared with. */
  own: string
  other: string
}

const PEERS = ['bare fetch stream, plain server', 'EventSource', 'fetch-event-source', 'WebSocket', 'socket.io, WebSocket first']
const READERS = ['jobtail', 'jobtail, WebSocket', 'jobtail, event stream', 'bare fetch stream', ...PEERS]
const FIRST = ['jobtail', 'jobtail, WebSocket', 'jobtail, event stream', 'bare fetch stream', 'bare fetch of JSON', ...PEERS, 'socket.io']
/** Without event streams: browsers have six HTTP/1.1 connections per origin, and a thousand jobs need eight. */
const JOINERS = ['jobtail', 'jobtail, WebSocket', 'bare fetch of JSON', 'WebSocket', 'socket.io, WebSocket first']

const thousands = (count: number): string => count.toLocaleString('en')
const entries = (labels: readonly string[], task: Task): Entry[] => labels.map((label) => ({ label, contestant: label, task }))
/** CPU time, which other programs on the machine hardly change. */
const mainThread: Column = { metric: 'mainMs', title: 'main thread', isPlain: true }
const own = 'jobtail'
const other = 'bare fetch stream'

const replay = (events: number, rttMs: 0 | 100): Row => ({
  id: `replay-${events}-${rttMs}ms`,
  table: 'Replay of a finished log, ms',
  rttMs,
  entries: entries(READERS, { do: 'replay', events }),
  columns: [{ metric: 'ms', title: `${thousands(events)} at ${rttMs} ms`, limit: { times: rttMs === 0 ? 1.5 : 1.3 } }, mainThread],
  own,
  other
})

const burst = (events: number, rttMs: 0 | 100): Row => ({
  id: `burst-${events}-${rttMs}ms`,
  table: 'Live events as fast as they are appended, ms',
  rttMs,
  entries: entries(READERS, { do: 'burst', events, isPaced: false, idle: 0 }),
  columns: [{ metric: 'ms', title: `${thousands(events)} at ${rttMs} ms`, limit: { times: 1.2 } }, mainThread],
  own,
  other
})

const IDLE = [0, 10, 90]
const COST_EVENTS = 10_000
const single = (idle: number): Task => ({ do: 'burst', events: COST_EVENTS, isPaced: true, idle })

const cost: Row = {
  id: 'cost',
  table: 'An event in a turn of its own, µs',
  rttMs: 0,
  entries: [
    ...['jobtail', 'jobtail, WebSocket', 'jobtail, event stream'].flatMap((contestant) =>
      IDLE.map((idle) => ({ label: `${contestant}, beside ${idle} idle jobs`, contestant, task: single(idle) }))
    ),
    ...entries(['bare fetch stream', 'WebSocket', 'socket.io, WebSocket first'], single(0))
  ],
  columns: [
    { metric: 'mainMicros', title: 'main thread', limit: { times: 1.2 } },
    { metric: 'eventMicros', title: 'from append to append', isPlain: true }
  ],
  own: 'jobtail, beside 90 idle jobs',
  other: 'jobtail, beside 0 idle jobs'
}

const join = (rttMs: 0 | 100): Row => ({
  id: `join-${rttMs}ms`,
  table: 'Joining 1,000 jobs, ms',
  rttMs,
  entries: entries(JOINERS, { do: 'join', jobs: 1000 }),
  columns: [
    { metric: 'ms', title: `all have an event, at ${rttMs} ms` },
    { metric: 'mainMs', title: `main thread, at ${rttMs} ms`, isPlain: true }
  ],
  own,
  other: 'bare fetch of JSON'
})

const first = (rttMs: 0 | 100): Row => ({
  id: `first-${rttMs}ms`,
  table: 'The first event, ms',
  rttMs,
  entries: entries(FIRST, { do: 'first' }),
  columns: [
    { metric: 'firstMs', title: `first event at ${rttMs} ms`, limit: { times: 1.2, plus: 20 } },
    { metric: 'liveMs', title: `first live event at ${rttMs} ms` }
  ],
  own,
  other
})

export const rows: readonly Row[] = [
  first(0),
  first(100),
  replay(10_000, 0),
  replay(10_000, 100),
  replay(100_000, 0),
  replay(100_000, 100),
  burst(50_000, 0),
  burst(20_000, 100),
  cost,
  join(0),
  join(100)
]
