import type { ByeReason, Frame } from '../protocol/frames.ts'
import { isControl } from '../protocol/frames.ts'
import type { EventLog } from './log/types.ts'

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
  /** Events handed to readers: one for each event and reader. */
  delivered: Record<ConnectionKind, number>
  /** From an event's own time to its being handed to a reader that was waiting for it, in ms: how many took at most so long (cumulative). */
  lag: { buckets: { leMs: number; count: number }[]; count: number; sumMs: number }
  /** Readings ended by the server, by the reason of their `bye`: `slow` are readers that did not keep up. */
  byes: Record<string, number>
  /** Refused, by status: requests over HTTP, handshakes and jobs over WebSocket. */
  rejected: Record<number, number>
}

/** Counts for one reading. */
export interface Meter {
  frames(frames: readonly Frame[]): void
  bye(reason: ByeReason): void
  close(): void
}

export interface MetricsStore {
  open(kind: ConnectionKind): Meter
  appended(): void
  rejected(status: number): void
  read(): ServerMetrics
}

const zeros = (): Record<ConnectionKind, number> => ({ websocket: 0, sse: 0, 'long-poll': 0, 'short-poll': 0 })

export function createMetrics(): MetricsStore {
  const metrics: ServerMetrics = {
    connections: zeros(),
    opened: zeros(),
    appended: 0,
    delivered: zeros(),
    lag: { buckets: LAG_BOUNDS_MS.map((leMs) => ({ leMs, count: 0 })), count: 0, sumMs: 0 },
    byes: {},
    rejected: {}
  }

  function observeLag(ms: number): void {
    const { lag } = metrics
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

  function rejected(status: number): void {
    metrics.rejected[status] = (metrics.rejected[status] ?? 0) + 1
  }

  return {
    open(kind) {
      const since = Date.now()
      let isOpen = true
      metrics.connections[kind] += 1
      metrics.opened[kind] += 1
      return {
        frames(frames) {
          for (const frame of frames) {
            if (isControl(frame)) {
              if (kind === 'websocket' && frame.control === 'error') rejected(frame.status)
              continue
            }
            metrics.delivered[kind] += 1
            const appendedAt = msOf(frame.time)
            // What is older than the reading was not waited for.
            if (appendedAt >= since) observeLag(Math.max(0, Date.now() - appendedAt))
          }
        },
        bye(reason) {
          metrics.byes[reason] = (metrics.byes[reason] ?? 0) + 1
        },
        close() {
          if (isOpen) metrics.connections[kind] -= 1
          isOpen = false
        }
      }
    },
    appended() {
      metrics.appended += 1
    },
    rejected,
    read: () => structuredClone(metrics)
  }
}

/** The log, with what is appended through it counted. */
export const countingLog = (log: EventLog, metrics: MetricsStore): EventLog => ({
  append: async (...entry) => {
    const event = await log.append(...entry)
    metrics.appended()
    return event
  },
  read: (...asked) => log.read(...asked),
  snapshot: (...asked) => log.snapshot(...asked),
  watch: (...asked) => log.watch(...asked),
  close: () => log.close()
})

/** The metrics in Prometheus' text format, version 0.0.4, to be served as `text/plain; version=0.0.4`. */
export function prometheusText(metrics: ServerMetrics): string {
  const lines: string[] = []
  const family = (name: string, type: string, help: string, samples: readonly (readonly [string, number])[]): void => {
    lines.push(`# HELP jobtail_${name} ${help}`, `# TYPE jobtail_${name} ${type}`)
    for (const [labels, value] of samples) lines.push(`jobtail_${name}${labels} ${value}`)
  }
  const by = (label: string, values: Readonly<Record<string, number>>): [string, number][] =>
    Object.entries(values).map(([key, value]) => [`{${label}="${key.replace(/[\\"\n]/g, '_')}"}`, value])

  const { connections, opened, appended, delivered, lag, byes, rejected } = metrics
  family('connections', 'gauge', 'Readings open now.', by('transport', connections))
  family('connections_opened_total', 'counter', 'Readings opened.', by('transport', opened))
  family('events_appended_total', 'counter', 'Events appended through this server.', [['', appended]])
  family('events_delivered_total', 'counter', 'Events handed to readers.', by('transport', delivered))
  family('byes_total', 'counter', 'Readings ended by the server, by reason.', by('reason', byes))
  family('rejected_total', 'counter', 'Requests and subscriptions refused.', by('status', rejected))
  lines.push(
    '# HELP jobtail_delivery_lag_seconds From an event to its being handed to a reader that waited for it.',
    '# TYPE jobtail_delivery_lag_seconds histogram'
  )
  for (const { leMs, count } of lag.buckets) lines.push(`jobtail_delivery_lag_seconds_bucket{le="${leMs / 1000}"} ${count}`)
  lines.push(
    `jobtail_delivery_lag_seconds_bucket{le="+Inf"} ${lag.count}`,
    `jobtail_delivery_lag_seconds_sum ${lag.sumMs / 1000}`,
    `jobtail_delivery_lag_seconds_count ${lag.count}`
  )
  return `${lines.join('\n')}\n`
}
