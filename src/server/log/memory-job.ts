import type { JobSnapshot, WireEvent } from '../../protocol/frames.ts'
import { isTerminal } from '../../protocol/rules.ts'
import { createEvent } from '../encode.ts'
import { byteLength, randomHex } from '../platform.ts'
import { snapshotAfter } from './entry.ts'
import type { LogPage } from './types.ts'

/** How much of each job is kept: the latest. */
export interface Retention {
  maxEvents: number
  maxBytes: number
}

/** One job's events, the latest of them. */
export interface MemoryJob {
  readonly snapshot: JobSnapshot
  readonly ended: boolean
  /** `json` is the event's data. */
  append(type: string, json: string, name: string | undefined): WireEvent
  /** Those that were appended under this name. */
  appended(name: string): WireEvent[] | undefined
  page(after: string | undefined, limit: number): LogPage
}

/** How many names of appends are remembered. */
const MAX_NAMES = 1000

/** An empty log under an epoch of its own, so that cursors of an earlier log of this name are foreign to it. */
export function createMemoryJob(id: string, { maxEvents, maxBytes }: Retention): MemoryJob {
  const epoch = `${Date.now().toString(36)}${randomHex(3)}`
  /** A ring: the event of `seq` is at `(seq - 1) % maxEvents`. */
  const events: WireEvent[] = []
  /** How large each one's data is, in the same ring. */
  const sizes: number[] = []
  const names = new Map<string, WireEvent[]>()
  let snapshot: JobSnapshot = { id, status: 'queued', epoch, seq: 0, cursor: `${epoch}-0` }
  let ended = false
  /** The seq before the oldest retained. */
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
    const [oldest] = names.keys()
    if (names.size >= MAX_NAMES && oldest !== undefined && !names.has(name)) names.delete(oldest)
    names.set(name, [...(names.get(name) ?? []), event])
  }

  return {
    get snapshot() {
      return snapshot
    },
    get ended() {
      return ended
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
    appended: (name) => names.get(name),
    page(after, limit) {
      const { seq: last } = snapshot
      const asked = after?.startsWith(`${epoch}-`) ? Number(after.slice(epoch.length + 1)) : Number.NaN
      const known = asked >= dropped && asked <= last && after === `${epoch}-${asked}`
      const seq = known ? asked : dropped
      const end = Math.min(last, seq + limit)
      const found: WireEvent[] = []
      for (let index = seq; index < end; index += 1) found.push(events[index % maxEvents] as WireEvent) // as: the ring holds all of dropped + 1 to last
      return { events: found, epoch, seq, cursor: `${epoch}-${seq}`, done: ended && end === last, more: end < last }
    }
  }
}

/** Many events have one millisecond. */
function timeNow(): string {
  const ms = Date.now()
  if (ms !== now.ms) now = { ms, text: new Date(ms).toISOString() }
  return now.text
}
let now = { ms: 0, text: '' }
