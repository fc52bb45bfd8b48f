import type { JobSnapshot, WireEvent } from '../../protocol/frames.ts'
import { isTerminal } from '../../protocol/rules.ts'
import { createEvent } from '../encode.ts'
import { byteLength, randomHex } from '../platform.ts'
import { snapshotAfter } from './entry.ts'
import type { LogPage } from './types.ts'

/** How many events, and how many bytes of their data, are retained for each job. */
export interface Retention {
  maxEvents: number
  maxBytes: number
}

/** The retained events of one job, and its snapshot. */
export interface MemoryJob {
  readonly snapshot: JobSnapshot
  readonly ended: boolean
  /** How much memory the job takes, in bytes: an estimate. */
  readonly size: number
  /** `json` is the event's data. `name` is the append's `appendId`. */
  append(type: string, json: string, name: string | undefined): WireEvent
  /** The events that were appended under this `appendId`. */
  appended(name: string): WireEvent[] | undefined
  page(after: string | undefined, limit: number): LogPage
}

/** What a job takes beside its events, and an event beside its data. Measured, and rounded up. */
const JOB_BYTES = 3000
const EVENT_BYTES = 400

/** How many `appendId`s of a job are remembered. */
const MAX_APPEND_IDS = 1000

/** Makes an empty log. Each has an epoch of its own, so that cursors of an earlier job with the same id are foreign to it. */
export function createMemoryJob(id: string, { maxEvents, maxBytes }: Retention): MemoryJob {
  const epoch = `${Date.now().toString(36)}${randomHex(3)}`
  /** A ring buffer: the event with `seq` is at `(seq - 1) % maxEvents`. */
  const events: WireEvent[] = []
  /** The size of each event's data in bytes, at the same index. */
  const sizes: number[] = []
  const eventsByAppendId = new Map<string, WireEvent[]>()
  let snapshot: JobSnapshot = { id, status: 'queued', epoch, seq: 0, cursor: `${epoch}-0` }
  let ended = false
  /** The `seq` before the oldest retained event. */
  let dropped = 0
  let bytes = 0

  function retain(seq: number, event: WireEvent, size: number): void {
    while (seq - dropped > maxEvents || (bytes + size > maxBytes && seq - dropped > 1)) {
      const oldest = dropped % maxEvents
      bytes -= sizes[oldest] ?? 0
      delete events[oldest]
      dropped += 1
    }
    events[(seq - 1) % maxEvents] = event
    sizes[(seq - 1) % maxEvents] = size
    bytes += size
  }

  function remember(name: string, event: WireEvent): void {
    const [oldest] = eventsByAppendId.keys()
    if (eventsByAppendId.size >= MAX_APPEND_IDS && oldest !== undefined && !eventsByAppendId.has(name)) eventsByAppendId.delete(oldest)
    eventsByAppendId.set(name, [...(eventsByAppendId.get(name) ?? []), event])
  }

  return {
    get snapshot() {
      return snapshot
    },
    get ended() {
      return ended
    },
    get size() {
      return JOB_BYTES + (snapshot.seq - dropped) * EVENT_BYTES + 2 * bytes // an event's data is kept as a value and as JSON
    },
    append(type, json, name) {
      const seq = snapshot.seq + 1
      const event = createEvent(`${epoch}-${seq}`, seq, id, type, timeNow(), json)
      retain(seq, event, byteLength(json))
      if (name !== undefined) remember(name, event)
      snapshot = snapshotAfter(snapshot, event)
      ended = isTerminal(type)
      return event
    },
    appended: (name) => eventsByAppendId.get(name),
    page(after, limit) {
      const { seq: last } = snapshot
      const asked = after?.startsWith(`${epoch}-`) ? Number(after.slice(epoch.length + 1)) : Number.NaN
      const known = asked >= dropped && asked <= last && after === `${epoch}-${asked}`
      const seq = known ? asked : dropped
      const end = Math.min(last, seq + limit)
      const found: WireEvent[] = []
      for (let index = seq; index < end; index += 1) found.push(events[index % maxEvents] as WireEvent) // as: the ring holds every seq from dropped + 1 to last
      return { events: found, epoch, seq, cursor: `${epoch}-${seq}`, done: ended && end === last, more: end < last }
    }
  }
}

/** The current time in RFC 3339. Formatted once for each millisecond, since many events share one. */
function timeNow(): string {
  const ms = Date.now()
  if (ms !== now.ms) now = { ms, text: new Date(ms).toISOString() }
  return now.text
}
let now = { ms: 0, text: '' }
