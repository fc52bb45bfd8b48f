/**
 * The jobs of one link, and what each frame means to their readers. `accept` decides whether a reader can follow a reading of the link.
 * From then on the reader's position decides: it gets the event that comes next in its epoch.
 */

import { TransportError } from '../errors.ts'
import { accept, type LogPosition } from '../policy/position.ts'
import type { Done, Subscribed, WireEvent } from '../protocol/frames.ts'
import { progressOf } from '../protocol/progress.ts'
import { TAIL } from '../protocol/rules.ts'
import type { JobCursor, Position, Reader } from '../types.ts'
import { sizeOf } from './size.ts'

/** One job on this link. */
interface LinkJob {
  /** The number of the last request for it, the position it was requested from, and the reader it was made for. */
  readonly ref: number
  readonly from: Position
  readonly reader: Reader
  /** The request was part of the link's URL: its answer has no `ref` (PROTOCOL.md §5). */
  readonly byOpening: boolean
  /** The request is not answered by `subscribed` yet. Until then the job's frames belong to the reading before. */
  isRequested: boolean
  /** The position that this link has reached in the job's log; `undefined` before `subscribed`. */
  at: { -readonly [Name in keyof LogPosition]: LogPosition[Name] } | undefined
}

/** The jobs of one link. */
export interface LinkJobs {
  /** How many events this link was the first to bring to a reader. */
  readonly newEvents: number
  /** Roughly how many bytes those events are. */
  readonly newBytes: number
  /** The readers that took an event and have no room for another. The connection pauses them and empties the set. */
  readonly full: Set<Reader>
  /** Readers without a position join the link where they want to start exactly where it is. */
  join(): void
  /**
   * Forgets the link's position in jobs whose readers have all received far more, from single reads: these jobs are requested again from
   * the readers' positions.
   */
  skipReceived(): void
  /** Whether `requestJobs` would change the list. */
  needsUpdate(wanted: readonly string[]): boolean
  /**
   * Requests each wanted job that has a reader whom this link does not serve yet, for one such reader per job at a time. Returns the whole
   * list of jobs.
   */
  requestJobs(wanted: readonly string[]): JobCursor[]
  /** Whether the link serves every reader of these jobs, so that it can take over. */
  coversAll(wanted: readonly string[]): boolean
  /**
   * Delivers an event to the readers that have not received it.
   * @throws TransportError `protocol`, where events are missing before it
   */
  event(event: WireEvent, bytes?: number | undefined): void
  /**
   * Takes a `subscribed`. Returns false where it begins at another cursor than requested and was ignored: the cursor was lost on the way,
   * or the answer is to another request. `isFresh`: the request ruled both out. `isPolled`: it is the answer to a request, whatever was
   * told before.
   * @throws TransportError `protocol`, where the reader could never follow this reading
   */
  subscribed(frame: Subscribed, isFresh: boolean, isPolled: boolean): boolean
  /** Takes a `done`: tells the readers that have received everything. */
  done(frame: Done): void
  /** The jobs of the link. */
  jobs(): string[]
  /** Removes a job. Returns the position it was requested from. */
  remove(job: string): Position | undefined
}

/** A link whose readers are this many events further on requests again instead of bringing these events. */
const FAR_BEHIND = 1000

/** The reader to request a job for: one without a position, otherwise the one furthest back in its epoch. */
function furthestBack(readers: readonly Reader[]): Reader | undefined {
  const epochs = [...new Set(readers.map(({ position }) => position.epoch))]
  // A link requested for a reader in one epoch does not serve readers in another, and epochs have no order. A fixed choice might be wrong
  // for ever, and a choice by the number of readers for very long; so it is random.
  const chosen = epochs.includes(undefined) ? undefined : epochs[Math.floor(Math.random() * epochs.length)]
  return readers.filter(({ position }) => position.epoch === chosen).sort((a, b) => a.position.seq - b.position.seq)[0]
}

/** Whether the link is at the reader's position, or will reach it. */
const hasPassed = ({ position: { epoch, seq } }: Reader, at: LogPosition | undefined): boolean => at !== undefined && epoch === at.epoch && seq >= at.seq

/** `active`: the readers of a job that take events from this link now. */
export function createLinkJobs(active: (job: string) => readonly Reader[]): LinkJobs {
  const entries = new Map<string, LinkJob>()
  const full = new Set<Reader>()
  let refs = 0
  let newEvents = 0
  let newBytes = 0

  /** The reader that this job has to be requested for; `undefined` where the link serves them all, or a request is pending. */
  function missing(job: string): Reader | undefined {
    const entry = entries.get(job)
    if (entry?.isRequested) return undefined
    return furthestBack(active(job).filter((reader) => !hasPassed(reader, entry?.at)))
  }

  const gone = (wanted: readonly string[]): string[] => [...entries.keys()].filter((job) => !wanted.includes(job))

  function join(): void {
    for (const [job, { at }] of entries)
      for (const reader of active(job)) {
        const { epoch, cursor } = reader.position
        if (at && !epoch && cursor === at.cursor) reader.position = { ...at, left: [] }
      }
  }

  return {
    get newEvents() {
      return newEvents
    },
    get newBytes() {
      return newBytes
    },
    full,
    join,

    skipReceived() {
      for (const [job, entry] of entries) {
        const { at, isRequested } = entry
        const isFarBehind = ({ position: { epoch, seq } }: Reader): boolean => epoch === at?.epoch && seq > (at?.seq ?? 0) + FAR_BEHIND
        if (!isRequested && active(job).length > 0 && active(job).every(isFarBehind)) entry.at = undefined
      }
    },

    needsUpdate: (wanted) => gone(wanted).length > 0 || wanted.some(missing),

    requestJobs(wanted) {
      const byOpening = refs === 0
      for (const job of gone(wanted)) entries.delete(job)
      for (const job of wanted) {
        const reader = missing(job)
        if (reader) entries.set(job, { ref: ++refs, from: reader.position, reader, byOpening, isRequested: true, at: entries.get(job)?.at })
      }
      return [...entries].map(
        ([
          job,
          {
            ref,
            from: { epoch, seq, cursor }
          }
        ]) => ({ job, ref, ...(epoch && { epoch, seq }), ...(cursor && { after: cursor }) })
      )
    },

    coversAll: (wanted) => wanted.every((job) => entries.get(job)?.isRequested === false && !missing(job)),

    event(event, bytes) {
      const { id, seq, job } = event
      const entry = entries.get(job)
      const at = entry?.at
      // A link may bring an event again, for example after it was subscribed from further back.
      if (!at || seq <= at.seq) return
      if (seq !== at.seq + 1) throw new TransportError('protocol', `event ${id} of job ${job}: expected seq ${at.seq + 1}, got ${seq}`)
      const before = at.seq
      at.seq = seq
      at.cursor = id
      if (event.type === 'progress') event.data = progressOf(event.data ?? {}) // pages read fields of it
      let isFirst = true
      const size = bytes ?? sizeOf(event.data)
      for (const reader of active(job)) {
        const { position } = reader
        if (position.epoch !== at.epoch || position.seq !== before) continue
        newEvents += 1
        newBytes += size
        reader.position = { epoch: at.epoch, seq, cursor: id, left: position.left }
        // Each reader gets data of its own, which it may change.
        reader.event(isFirst ? event : { ...event, data: structuredClone(event.data) }, size)
        isFirst = false
        if (reader.roomBytes() <= 0) full.add(reader)
      }
    },

    subscribed({ job, ref, epoch, seq, cursor, status }, isFresh, isPolled) {
      const entry = entries.get(job)
      if (!entry) return true
      join() // first: a reader whose position the link has just reached would otherwise be moved to where the link goes now
      const { at, from, reader: requester } = entry
      const isAnswer = entry.isRequested && (ref === entry.ref || (ref === undefined && entry.byOpening && !at))
      // Without a `ref` the server tells anew where it reads: the log was trimmed or replaced, or this is another answer to a poll.
      const origin = isAnswer ? from : ref === undefined ? at : undefined
      if (!origin) return true
      // Only a fresh request rules out that the cursor was lost on the way, or that a cache answered.
      const isOther = origin.cursor !== undefined && origin.cursor !== TAIL && cursor !== origin.cursor
      if (isOther && ref === undefined && (isAnswer || isPolled) && !isFresh) {
        // The events that follow are ignored. A link that can update in place requests the job again.
        entry.at = undefined
        entry.isRequested = false
        return false
      }
      const place = { epoch, seq, cursor }
      entry.at = place
      if (isAnswer) entry.isRequested = false
      for (const reader of active(job)) {
        const before = reader.position
        const accepted = accept(before, place, origin)
        if (accepted) {
          reader.position = accepted.position
          if (accepted.gap) reader.gap(accepted.gap, before)
          reader.subscribed(status)
        } else if (isAnswer && reader === requester && before === from) {
          // A repeated request would get the same answer, for ever.
          throw new TransportError('protocol', `job ${job}: subscribed in epoch ${epoch}, which ${from.epoch} has replaced`)
        }
      }
      return origin.epoch !== epoch || seq >= origin.seq
    },

    done({ job, cursor }) {
      const entry = entries.get(job)
      const end = entry?.at ?? entry?.from
      if (!entry || !end) return
      if (end.cursor !== cursor) {
        // Before `subscribed` this may be the end of the reading before.
        if (!entry.at) return
        throw new TransportError('protocol', `job ${job}: done at ${cursor}, but what was read ends at ${end.cursor}`)
      }
      if (entry.at && entry.isRequested) entry.at = undefined
      else entries.delete(job)
      for (const reader of active(job)) if (reader.position.cursor === cursor) reader.done()
    },

    jobs: () => [...entries.keys()],

    remove(job) {
      const from = entries.get(job)?.from
      entries.delete(job)
      return from
    }
  }
}
