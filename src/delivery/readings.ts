/**
 * What one link reads, job by job. A reading is a reader's own once `accept` has said so, from then on the reader's position says it:
 * in the epoch of the reading, and nowhere that the reading has passed.
 */

import { TransportError } from '../errors.ts'
import { accept, type Place, type Position } from '../policy/position.ts'
import type { Done, More, Subscribed, WireEvent } from '../protocol/frames.ts'
import type { OpenRequest } from '../types.ts'
import type { Reader } from './reader.ts'

/** One job on this link. */
interface Entry {
  /** What was asked for, from where, and for whom. */
  readonly ref: number
  readonly from: Position
  readonly reader: Reader
  /** By the link's opening: the answer to a URL bears no ref (PROTOCOL.md §5). */
  readonly byOpening: boolean
  /** Not answered by `subscribed` yet: until then the job's frames belong to the reading before. */
  isAsked: boolean
  /** Where the reading is, if there is one, and where it was said to be. */
  at: Place | undefined
  said: Place | undefined
}

export interface Readings {
  /** The readers of a job that take events from here now. */
  active(job: string): readonly Reader[]
  /** Lets readers without a place take part where they ask for the very place that the reading is at. */
  join(): void
  /** Whether `ask` would change the list. */
  differs(wanted: readonly string[]): boolean
  /** Asks for every reader whose reading this is not, one a job at a time: the whole list. */
  ask(wanted: readonly string[]): OpenRequest['jobs']
  /** Whether it is the reading of every reader: this link can take over. */
  serves(wanted: readonly string[]): boolean
  event(event: WireEvent): void
  subscribed(told: Subscribed): void
  done(told: Done): void
  more(told: More): void
  jobs(): string[]
  /** Forgets the job, and tells from where it was asked for. */
  drop(job: string): Position | undefined
}

/** The reader to ask for: one whose place in the log isn't known yet, else the one furthest back in its epoch. */
function furthestBack(readers: readonly Reader[]): Reader | undefined {
  const epochs = [...new Set(readers.map(({ position }) => position.epoch))]
  // Epochs have no order, and a link that is asked for a reader in one doesn't serve the others: a fixed choice might be wrong for ever,
  // and one by the number of readers, for very long.
  const chosen = epochs.includes(undefined) ? undefined : epochs[Math.floor(Math.random() * epochs.length)]
  return readers.filter(({ position }) => position.epoch === chosen).sort((a, b) => a.position.seq - b.position.seq)[0]
}

/** Whether the reading is, or will come to, where the reader is. */
const isAhead = ({ position: { epoch, seq } }: Reader, at: Place | undefined): boolean => at !== undefined && epoch === at.epoch && seq >= at.seq

export function createReadings(active: Readings['active']): Readings {
  const entries = new Map<string, Entry>()
  let refs = 0

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
    active,
    join,

    differs: (wanted) => gone(wanted).length > 0 || wanted.some(missing),

    ask(wanted) {
      const byOpening = refs === 0
      for (const job of gone(wanted)) entries.delete(job)
      for (const job of wanted) {
        const reader = missing(job)
        if (reader) entries.set(job, { ref: ++refs, from: reader.position, reader, byOpening, isAsked: true, at: entries.get(job)?.at, said: undefined })
      }
      return [...entries].map(([job, { ref, from }]) => ({ job, ref, ...(from.cursor && { after: from.cursor }) }))
    },

    serves: (wanted) => wanted.every((job) => entries.get(job)?.isAsked === false && !missing(job)),

    event(event) {
      const { id, seq, job } = event
      const entry = entries.get(job)
      const at = entry?.at
      if (!at) return
      if (seq !== at.seq + 1) throw new TransportError('protocol', `event ${id} of job ${job}: expected seq ${at.seq + 1}, got ${seq}`)
      entry.at = { ...at, seq, cursor: id }
      for (const reader of active(job)) {
        const { position } = reader
        if (position.epoch !== at.epoch || position.seq !== at.seq) continue
        reader.position = { ...position, seq, cursor: id }
        reader.event(event)
      }
    },

    subscribed({ job, ref, epoch, seq, cursor, status }) {
      const entry = entries.get(job)
      if (!entry) return
      join() // or one whose place has just been reached would be taken to where the reading goes now
      const { at, from, reader: asker } = entry
      const isAnswer = entry.isAsked && (ref === entry.ref || (ref === undefined && entry.byOpening && !at))
      // Without a ref it is said anew of the reading under way: trimmed, replaced, or another answer to a poll.
      const origin = isAnswer ? from : ref === undefined ? at : undefined
      if (!origin) return
      const place = { epoch, seq, cursor }
      entry.at = entry.said = place
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
    },

    done({ job, cursor }) {
      const entry = entries.get(job)
      const end = entry?.at ?? entry?.from
      if (!entry || !end) return
      if (end.cursor !== cursor) {
        // Without a reading it may be the end of one that was given up.
        if (!entry.at) return
        throw new TransportError('protocol', `job ${job}: done at ${cursor}, but what was read ends at ${end.cursor}`)
      }
      if (entry.at && entry.isAsked) entry.at = undefined
      else entries.delete(job)
      for (const reader of active(job)) if (reader.position.cursor === cursor) reader.done()
    },

    more({ job }) {
      const entry = entries.get(job)
      if (!entry || entry.isAsked) return
      // Asked again it would say the same, for ever.
      if (entry.at === entry.said) throw new TransportError('protocol', `job ${job}: more, but nothing has come`)
      entries.delete(job)
      for (const reader of active(job)) reader.behind = true
    },

    jobs: () => [...entries.keys()],

    drop(job) {
      const from = entries.get(job)?.from
      entries.delete(job)
      return from
    }
  }
}
