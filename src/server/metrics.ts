import type { ByeReason, Frame } from '../protocol/frames.ts'
import { isControl } from '../protocol/frames.ts'
import { type EventLog, logErrorCode } from './log/types.ts'
import { wrapLog } from './log/wrap.ts'

export const CONNECTION_KINDS = ['websocket', 'sse', 'ndjson', 'connect', 'long-poll', 'short-poll'] as const
/**
 * How a reader reads. A JSON request with `wait` counts as `long-poll`; one without, NDJSON that is no live stream, and a `Follow` of Connect that reads once,
 * count as `short-poll`.
 */
export type ConnectionKind = (typeof CONNECTION_KINDS)[number]

/** The upper bounds of the histogram's buckets, in ms. */
const LAG_BOUNDS_MS = [1, 5, 10, 25, 50, 100, 250, 500, 1000, 2500, 5000, 10_000] as const

/** What a server has done since it was made, and does now. Plain data: a copy that doesn't change. */
export interface ServerMetrics {
  /** Readers that are connected now. */
  connections: Record<ConnectionKind, number>
  /** Readers that have connected so far. */
  opened: Record<ConnectionKind, number>
  /** Events appended through this server: by `publish`, by running jobs, by starts and cancels. */
  appended: number
  /** Appends that the log rejected, by the code of its `LogError` (`ended`, `conflict`, `unavailable`, …), or `error` for any other error. */
  appendFailures: Record<string, number>
  /** Jobs that this server runs now. */
  running: number
  /** Jobs that wait on this server until they may run. */
  queued: number
  /**
   * Jobs that this server has run, by how they ended: `succeeded`, `failed`, `cancelled`, `shutdown`, `timeout`, or `lost`. A `lost` job had ended meanwhile,
   * or another owner had its lease.
   */
  outcomes: Record<string, number>
  /** Events handed to readers. An event counts once for each reader. */
  delivered: Record<ConnectionKind, number>
  /**
   * The time from an event's `time` until it was handed to a reader that was waiting for it. A histogram: `buckets` count the deliveries that took at most
   * `leMs`, cumulatively; `count` and `sumMs` are of all.
   */
  lag: { buckets: { leMs: number; count: number }[]; count: number; sumMs: number }
  /** Connections that the server has ended, by the reason of `bye`: `shutdown`, `max-age`, `slow`, `auth`, `window`. */
  byes: Record<string, number>
  /** Refusals by HTTP status: of requests, of handshakes, and of jobs over WebSocket. */
  rejected: Record<number, number>
}

export interface MetricsStore {
  open(kind: ConnectionKind): Meter
  appended(events: number): void
  appendFailed(error: unknown): void
  startJob(): JobMeter
  rejected(status: number): void
  read(): ServerMetrics
}

/** Counts one job that this server runs: as queued, until `begin`. */
export interface JobMeter {
  begin(): void
  /** `undefined`: the job couldn't be claimed, and counts for no outcome. */
  end(outcome: string | undefined): void
}

/** Counts what one reader gets. */
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
      // An event from before the reader connected didn't keep it waiting.
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

/** The last parsed time, since one event goes to many readers in a row. */
let parsed = { time: '', ms: 0 }
function msOf(time: string): number {
  if (time !== parsed.time) parsed = { time, ms: Date.parse(time) }
  return parsed.ms
}

function increase(counts: Record<string, number>, key: string | number): void {
  counts[key] = (counts[key] ?? 0) + 1
}

const zeros = (): Record<ConnectionKind, number> => ({ websocket: 0, sse: 0, ndjson: 0, connect: 0, 'long-poll': 0, 'short-poll': 0 })

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
    startJob() {
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
    appendFailed: (error) => increase(metrics.appendFailures, logErrorCode(error) ?? 'error'),
    rejected: (status) => increase(metrics.rejected, status),
    read: () => structuredClone(metrics)
  }
}

/** Makes a log that counts what is appended through it. */
export function countAppends(log: EventLog, metrics: MetricsStore): EventLog {
  const appendMany = log.appendMany?.bind(log)
  async function counted<T>(append: Promise<T>, count: (done: T) => number): Promise<T> {
    try {
      const done = await append
      metrics.appended(count(done))
      return done
    } catch (error) {
      metrics.appendFailed(error)
      throw error
    }
  }
  return wrapLog(log, {
    append: (...entry) => counted(log.append(...entry), () => 1),
    appendMany: appendMany && ((...entries) => counted(appendMany(...entries), (events) => events.length))
  })
}
