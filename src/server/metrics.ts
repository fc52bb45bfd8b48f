import type { ByeReason, Frame } from '../protocol/frames.ts'
import { isControl } from '../protocol/frames.ts'
import { type EventLog, logErrorCode } from './log/types.ts'
import { wrapLog } from './log/wrap.ts'

export const CONNECTION_KINDS = ['websocket', 'sse', 'long-poll', 'short-poll'] as const
/** How a reading is made: a JSON reading that may be held is a `long-poll`, any other one a `short-poll`. */
export type ConnectionKind = (typeof CONNECTION_KINDS)[number]

/** Upper bounds of the lag's buckets, in ms. */
const LAG_BOUNDS_MS = [1, 5, 10, 25, 50, 100, 250, 500, 1000, 2500, 5000, 10_000] as const

/** What a server has done since it was made, and does now: plain data, a copy. */
export interface ServerMetrics {
  /** Readings open now. */
  connections: Record<ConnectionKind, number>
  /** Readings opened so far. */
  opened: Record<ConnectionKind, number>
  /** Events appended through this server: by `publish`, `run`, a start or a cancel. */
  appended: number
  /** Appends that the log did not take, by the code of its error: `ended`, `conflict`, `unavailable`, …; `error` for others. */
  appendFailures: Record<string, number>
  /** Jobs that this server runs now, and those that wait here until they may. */
  running: number
  queued: number
  /** Jobs that this server has run, by how they ended: `succeeded`, `failed`, `cancelled`, `shutdown`, `timeout`; `lost`: they were another's, or had ended, meanwhile. */
  outcomes: Record<string, number>
  /** Events handed to readers: one for each event and reader. */
  delivered: Record<ConnectionKind, number>
  /** From an event's own time to its being handed to a reader that was waiting for it, in ms: how many took at most so long (cumulative). */
  lag: { buckets: { leMs: number; count: number }[]; count: number; sumMs: number }
  /** Readings ended by the server, by the reason of their `bye`: `slow` are readers that did not keep up. */
  byes: Record<string, number>
  /** Refused, by status: requests over HTTP, handshakes and jobs over WebSocket. */
  rejected: Record<number, number>
}

export interface MetricsStore {
  open(kind: ConnectionKind): Meter
  appended(events: number): void
  refused(error: unknown): void
  job(): JobTally
  rejected(status: number): void
  read(): ServerMetrics
}

/** Counts for one job that is run; it waits at first. */
export interface JobTally {
  begin(): void
  /** `undefined`: it was never ours. */
  end(outcome: string | undefined): void
}

/** Counts for one reading. */
export class Meter {
  private readonly kind: ConnectionKind
  private readonly metrics: ServerMetrics
  private readonly since = Date.now()

  constructor(kind: ConnectionKind, metrics: ServerMetrics) {
    this.kind = kind
    this.metrics = metrics
    metrics.connections[kind] += 1
    metrics.opened[kind] += 1
  }

  frames(frames: readonly Frame[]): void {
    const { kind, metrics } = this
    for (const frame of frames) {
      if (isControl(frame)) {
        if (kind === 'websocket' && frame.control === 'error') increase(metrics.rejected, frame.status)
        continue
      }
      metrics.delivered[kind] += 1
      const appendedAt = msOf(frame.time)
      // What is older than the reading was not waited for.
      if (appendedAt >= this.since) observe(metrics.lag, Math.max(0, Date.now() - appendedAt))
    }
  }

  bye(reason: ByeReason): void {
    increase(this.metrics.byes, reason)
  }

  close(): void {
    this.metrics.connections[this.kind] -= 1
  }
}

function observe(lag: ServerMetrics['lag'], ms: number): void {
  lag.count += 1
  lag.sumMs += ms
  for (const bucket of lag.buckets) if (ms <= bucket.leMs) bucket.count += 1
}

/** One event goes to many readers in a row. */
let parsed = { time: '', ms: 0 }
function msOf(time: string): number {
  if (time !== parsed.time) parsed = { time, ms: Date.parse(time) }
  return parsed.ms
}

function increase(counts: Record<string, number>, key: string | number): void {
  counts[key] = (counts[key] ?? 0) + 1
}

const zeros = (): Record<ConnectionKind, number> => ({ websocket: 0, sse: 0, 'long-poll': 0, 'short-poll': 0 })

export function createMetrics(): MetricsStore {
  const metrics: ServerMetrics = {
    connections: zeros(),
    opened: zeros(),
    appended: 0,
    appendFailures: {},
    running: 0,
    queued: 0,
    outcomes: {},
    delivered: zeros(),
    lag: { buckets: LAG_BOUNDS_MS.map((leMs) => ({ leMs, count: 0 })), count: 0, sumMs: 0 },
    byes: {},
    rejected: {}
  }

  return {
    open: (kind) => new Meter(kind, metrics),
    appended(events) {
      metrics.appended += events
    },
    job() {
      let state: 'queued' | 'running' = 'queued'
      metrics.queued += 1
      return {
        begin() {
          metrics.queued -= 1
          state = 'running'
          metrics.running += 1
        },
        end(outcome) {
          metrics[state] -= 1
          if (outcome !== undefined) increase(metrics.outcomes, outcome)
        }
      }
    },
    refused: (error) => increase(metrics.appendFailures, logErrorCode(error) ?? 'error'),
    rejected: (status) => increase(metrics.rejected, status),
    read: () => structuredClone(metrics)
  }
}

/** The log, with what is appended through it counted. */
export function countingLog(log: EventLog, metrics: MetricsStore): EventLog {
  const appendMany = log.appendMany?.bind(log)
  async function counted<T>(append: Promise<T>, count: (done: T) => number): Promise<T> {
    try {
      const done = await append
      metrics.appended(count(done))
      return done
    } catch (error) {
      metrics.refused(error)
      throw error
    }
  }
  return wrapLog(log, {
    append: (...entry) => counted(log.append(...entry), () => 1),
    appendMany: appendMany && ((...entries) => counted(appendMany(...entries), (events) => events.length))
  })
}
