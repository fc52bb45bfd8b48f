/**
 * What one link reads, job by job, and who takes part in it. A reader is attached to a reading once `accept` has said that the reading
 * is its own; until then its frames are not for that reader.
 */

import { TransportError } from '../errors.ts'
import { accept, type Place, type Position } from '../policy/position.ts'
import type { Done, Subscribed, WireEvent } from '../protocol/frames.ts'
import type { OpenRequest } from '../types.ts'
import type { Reader } from './reader.ts'

/** Asked for, from where, and for whom. */
interface Asked {
  readonly ref: number
  readonly from: Position
  readonly reader: Reader
  /** By the link's opening: the answer to a URL bears no ref (PROTOCOL.md §5). */
  readonly byOpening: boolean
}

/** Answered by `subscribed`. */
interface Reading extends Asked {
  at: Place
  readonly attached: Set<Reader>
}

/** One job on this link. Until what was asked for is answered, the job's frames belong to `reading`. */
interface Entry {
  reading?: Reading | undefined
  asked?: Asked | undefined
}

/** The active readers of each wanted job. */
export type Wants = ReadonlyMap<string, readonly Reader[]>

export interface Readings {
  /** Lets readers that came or resumed take part where the reading is not yet past them, and those that left or paused go. */
  join(wants: Wants): void
  /** Whether `ask` would change the list. */
  differs(wants: Wants): boolean
  /** Asks for every reader that is not attached, one a job at a time: the whole list. */
  ask(wants: Wants): OpenRequest['jobs']
  /** Whether every reader is attached: this link can take over. */
  serves(wants: Wants): boolean
  event(event: WireEvent): void
  subscribed(told: Subscribed, readers: readonly Reader[]): void
  /** Those of the job's active readers who have had all that there is. */
  done(told: Done, readers: readonly Reader[]): readonly Reader[]
  jobs(): string[]
  /** Forgets the job, and tells from where it was asked for. */
  drop(job: string): Position | undefined
}

/** The reader to ask for: one whose place in the log isn't known yet, else the one furthest back. */
function furthestBack(a: Reader, b: Reader): Reader {
  const [here, there] = [a.position, b.position]
  if (here.epoch === undefined || there.epoch === undefined) return here.epoch === undefined ? a : b
  if (here.epoch === there.epoch) return here.seq <= there.seq ? a : b
  // Epochs have no order, and a link that is asked for the reader in the later one doesn't serve the other: a fixed choice might be wrong for ever.
  return Math.random() < 0.5 ? a : b
}

const isAt = ({ position }: Reader, { epoch, seq }: Pick<Position, 'epoch' | 'seq'>): boolean => position.epoch === epoch && position.seq === seq

/** Attaches a reader if the reading, begun at `place` and asked for at `from`, is its own. */
function attach({ attached }: Reading, reader: Reader, place: Place, from: Position): boolean {
  const before = reader.position
  const accepted = accept(before, place, from)
  if (!accepted) {
    attached.delete(reader)
    return false
  }
  attached.add(reader)
  reader.position = accepted.position
  if (accepted.gap) reader.gap(accepted.gap, before)
  return true
}

export function createReadings(nextRef: () => number): Readings {
  const entries = new Map<string, Entry>()
  let isOpen = false

  /** Who has to be asked for in this job. */
  function missing(job: string, readers: readonly Reader[]): Reader | undefined {
    const { asked, reading }: Entry = entries.get(job) ?? {}
    if (asked) return undefined
    const unattached = readers.filter((reader) => !reading?.attached.has(reader))
    return unattached.length > 0 ? unattached.reduce(furthestBack) : undefined
  }

  const gone = (wants: Wants): string[] => [...entries.keys()].filter((job) => !wants.has(job))

  return {
    join(wants) {
      for (const [job, { reading }] of entries) {
        if (!reading) continue
        const readers = wants.get(job) ?? []
        for (const reader of reading.attached) if (!readers.includes(reader)) reading.attached.delete(reader)
        for (const reader of readers) if (!reading.attached.has(reader)) attach(reading, reader, reading.at, { ...reading.at, left: [] })
      }
    },

    differs: (wants) => gone(wants).length > 0 || [...wants].some(([job, readers]) => missing(job, readers)),

    ask(wants) {
      for (const job of gone(wants)) entries.delete(job)
      for (const [job, readers] of wants) {
        const reader = missing(job, readers)
        if (reader) entries.set(job, { reading: entries.get(job)?.reading, asked: { ref: nextRef(), from: reader.position, reader, byOpening: !isOpen } })
      }
      isOpen = true
      return [...entries].flatMap(([job, { asked, reading }]) => {
        const { ref, from } = asked ?? reading ?? {}
        if (ref === undefined) return []
        return [from?.cursor === undefined ? { job, ref } : { job, ref, after: from.cursor }]
      })
    },

    serves: (wants) =>
      [...wants].every(([job, readers]) => {
        const { asked, reading }: Entry = entries.get(job) ?? {}
        return !asked && reading && readers.every((reader) => reading.attached.has(reader))
      }),

    event(event) {
      const reading = entries.get(event.job)?.reading
      if (!reading) return
      const { at, attached } = reading
      const { id, seq } = event
      if (seq !== at.seq + 1) throw new TransportError('protocol', `event ${id} of job ${event.job}: expected seq ${at.seq + 1}, got ${seq}`)
      reading.at = { epoch: at.epoch, seq, cursor: id }
      for (const reader of attached) {
        if (!isAt(reader, at)) continue
        reader.position = { ...reader.position, seq, cursor: id }
        reader.event(event)
      }
    },

    subscribed({ job, ref, epoch, seq, cursor, status }, readers) {
      const entry = entries.get(job)
      const place = { epoch, seq, cursor }
      const { asked, reading }: Entry = entry ?? {}
      const answered = asked && (ref === asked.ref || (ref === undefined && asked.byOpening && !reading)) ? asked : undefined
      // Without a ref it is said anew of the reading under way: trimmed, replaced, or another answer to a poll.
      const told = answered ? { ...answered, at: place, attached: new Set<Reader>() } : ref === undefined ? reading : undefined
      if (!told) return
      const from = answered ? answered.from : { ...told.at, left: [] }
      told.at = place
      told.attached.clear()
      if (answered) entries.set(job, { reading: told })
      for (const reader of readers) if (attach(told, reader, place, from)) reader.subscribed(status)
      // Asked again it would answer the same, for ever.
      if (answered && readers.includes(answered.reader) && !told.attached.has(answered.reader) && answered.reader.position === answered.from)
        throw new TransportError('protocol', `job ${job}: subscribed in epoch ${epoch}, which ${answered.from.epoch} has replaced`)
    },

    done({ job, cursor }, readers) {
      const { reading, asked }: Entry = entries.get(job) ?? {}
      const end = reading?.at ?? asked?.from
      // Without a reading it may be the end of one that was given up.
      if (!end || (!reading && end.cursor !== cursor)) return []
      if (end.cursor !== cursor) throw new TransportError('protocol', `job ${job}: done at ${cursor}, but what was read ends at ${end.cursor}`)
      if (reading && asked) entries.set(job, { asked })
      else entries.delete(job)
      return readers.filter((reader) => (reading ? reading.attached.has(reader) : reader === asked?.reader) && isAt(reader, end))
    },

    jobs: () => [...entries.keys()],

    drop(job) {
      const { asked, reading }: Entry = entries.get(job) ?? {}
      entries.delete(job)
      return (asked ?? reading)?.from
    }
  }
}
