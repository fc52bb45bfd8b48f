/**
 * The jobs of one link, and what a frame means to their readers. What a link says of a job is a reader's own once `accept` has said so; from then on the
 * reader's position says it: in the same epoch, and nowhere that the link has passed.
 */

import { TransportError } from '../errors.ts'
import { accept, type Place } from '../policy/position.ts'
import type { Done, Subscribed, WireEvent } from '../protocol/frames.ts'
import { progressOf } from '../protocol/progress.ts'
import { TAIL } from '../protocol/rules.ts'
import type { JobCursor, Position, Reader } from '../types.ts'
import { sizeOf } from './size.ts'

/** One job on this link. */
interface LinkJob {
  /** What was asked for, from where, and for whom. */
  readonly ref: number
  readonly from: Position
  readonly reader: Reader
  /** By the link's opening: the answer to a URL bears no ref (PROTOCOL.md §5). */
  readonly byOpening: boolean
  /** Not answered by `subscribed` yet: until then the job's frames belong to the reading before. */
  isAsked: boolean
  /** How far this link has come in the job's log; undefined before `subscribed`. */
  at: { -readonly [Name in keyof Place]: Place[Name] } | undefined
}

export interface LinkJobs {
  /** How many events came over this link that a reader had not had. */
  readonly news: number
  /** About how many bytes those were. */
  readonly newsBytes: number
  /** Readers that took an event and have no room for another; whoever relieves them empties it. */
  readonly full: Set<Reader>
  /** Lets readers without a place take part where they ask for the very place that the link is at. */
  join(): void
  /** Forgets where it is in jobs of which all readers have had far more: they are asked for from where their readers are. */
  skipHad(): void
  /** Whether `ask` would change the list. */
  needsUpdate(wanted: readonly string[]): boolean
  /** Asks for every reader that this link isn't read for yet, one a job at a time: the whole list. */
  ask(wanted: readonly string[]): JobCursor[]
  /** Whether every reader of them is read for: this link can take over. */
  coversAll(wanted: readonly string[]): boolean
  /** Delivers it to those who haven't had it. Throws where events are missing before it. */
  event(event: WireEvent, bytes?: number | undefined): void
  /**
   * False where it begins elsewhere than was asked for, and nothing has come of it: the cursor was lost on the way, or the answer is another one's.
   * `isFresh`: it was asked for so that neither can be; `isPolled`: it answers a request, whatever has been told before.
   */
  subscribed(told: Subscribed, isFresh: boolean, isPolled: boolean): boolean
  done(told: Done): void
  jobs(): string[]
  /** Forgets the job, and tells from where it was asked for. */
  remove(job: string): Position | undefined
}

/** So many events that have been had aren't worth reading once more. */
const FAR_BEHIND = 1000

/** The reader to ask for: one whose place in the log isn't known yet, else the one furthest back in its epoch. */
function furthestBack(readers: readonly Reader[]): Reader | undefined {
  const epochs = [...new Set(readers.map(({ position }) => position.epoch))]
  // Epochs have no order, and a link that is asked for a reader in one doesn't serve the others: a fixed choice might be wrong for ever,
  // and one by the number of readers, for very long.
  const chosen = epochs.includes(undefined) ? undefined : epochs[Math.floor(Math.random() * epochs.length)]
  return readers.filter(({ position }) => position.epoch === chosen).sort((a, b) => a.position.seq - b.position.seq)[0]
}

/** Whether the link is, or will come to, where the reader is. */
const isAhead = ({ position: { epoch, seq } }: Reader, at: Place | undefined): boolean => at !== undefined && epoch === at.epoch && seq >= at.seq

/** `active`: the readers of a job that take events from this link now. */
export function createLinkJobs(active: (job: string) => readonly Reader[]): LinkJobs {
  const entries = new Map<string, LinkJob>()
  const full = new Set<Reader>()
  let refs = 0
  let news = 0
  let newsBytes = 0

  /** Who has to be asked for in this job. */
  function missing(job: string): Reader | undefined {
    const entry = entries.get(job)
    if (entry?.isAsked) return undefined
    return furthestBack(active(job).filter((reader) => !isAhead(reader, entry?.at)))
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
    get news() {
      return news
    },
    get newsBytes() {
      return newsBytes
    },
    full,
    join,

    skipHad() {
      for (const [job, entry] of entries) {
        const { at, isAsked } = entry
        const isFarBehind = ({ position: { epoch, seq } }: Reader): boolean => epoch === at?.epoch && seq > (at?.seq ?? 0) + FAR_BEHIND
        if (!isAsked && active(job).length > 0 && active(job).every(isFarBehind)) entry.at = undefined
      }
    },

    needsUpdate: (wanted) => gone(wanted).length > 0 || wanted.some(missing),

    ask(wanted) {
      const byOpening = refs === 0
      for (const job of gone(wanted)) entries.delete(job)
      for (const job of wanted) {
        const reader = missing(job)
        if (reader) entries.set(job, { ref: ++refs, from: reader.position, reader, byOpening, isAsked: true, at: entries.get(job)?.at })
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

    coversAll: (wanted) => wanted.every((job) => entries.get(job)?.isAsked === false && !missing(job)),

    event(event, bytes) {
      const { id, seq, job } = event
      const entry = entries.get(job)
      const at = entry?.at
      // What this link has brought already it may bring again.
      if (!at || seq <= at.seq) return
      if (seq !== at.seq + 1) throw new TransportError('protocol', `event ${id} of job ${job}: expected seq ${at.seq + 1}, got ${seq}`)
      const before = at.seq
      at.seq = seq
      at.cursor = id
      if (event.type === 'progress') event.data = progressOf(event.data)
      let isFirst = true
      const size = bytes ?? sizeOf(event.data)
      for (const reader of active(job)) {
        const { position } = reader
        if (position.epoch !== at.epoch || position.seq !== before) continue
        news += 1
        newsBytes += size
        reader.position = { epoch: at.epoch, seq, cursor: id, left: position.left }
        // What one reader does to its event is nothing to the next.
        reader.event(isFirst ? event : { ...event, data: structuredClone(event.data) }, size)
        isFirst = false
        if (reader.roomBytes() <= 0) full.add(reader)
      }
    },

    subscribed({ job, ref, epoch, seq, cursor, status }, isFresh, isPolled) {
      const entry = entries.get(job)
      if (!entry) return true
      join() // or one whose place has just been reached would be taken to where the link goes now
      const { at, from, reader: asker } = entry
      const isAnswer = entry.isAsked && (ref === entry.ref || (ref === undefined && entry.byOpening && !at))
      // Without a ref it is said anew of what is being read: trimmed, replaced, or another answer to a poll.
      const origin = isAnswer ? from : ref === undefined ? at : undefined
      if (!origin) return true
      // Whether the cursor was lost on the way, or what it stood for, is known once it was asked for in every way there is.
      const isOther = origin.cursor !== undefined && origin.cursor !== TAIL && cursor !== origin.cursor
      if (isOther && ref === undefined && (isAnswer || isPolled) && !isFresh) {
        // What follows is nobody's; where a link can ask in place, it does.
        entry.at = undefined
        entry.isAsked = false
        return false
      }
      const place = { epoch, seq, cursor }
      entry.at = place
      if (isAnswer) entry.isAsked = false
      for (const reader of active(job)) {
        const before = reader.position
        const accepted = accept(before, place, origin)
        if (accepted) {
          reader.position = accepted.position
          if (accepted.gap) reader.gap(accepted.gap, before)
          reader.subscribed(status)
        } else if (isAnswer && reader === asker && before === from) {
          // Asked again it would answer the same, for ever.
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
        // Before `subscribed` it may be the end of what was read before.
        if (!entry.at) return
        throw new TransportError('protocol', `job ${job}: done at ${cursor}, but what was read ends at ${end.cursor}`)
      }
      if (entry.at && entry.isAsked) entry.at = undefined
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
