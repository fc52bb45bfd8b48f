import type { Source } from './source.ts'
import { beforeId, progressIn, type QueuedJob, type QueueEntry } from './to-job-event.ts'

/** Reads a queue's Redis stream of events, from its oldest entry. */
export interface QueueStream {
  /** Reads the next entries, and waits up to `waitMs` for the first. A call while a read waits to begin shares that read. */
  read(waitMs: number): Promise<void>
  /** The entries that were read since the last call. */
  take(): QueueEntry[]
  /** Whether an entry of the job was read but not taken. */
  hasUntaken(jobId: string): boolean
  /** The last entry that was read before some were trimmed unread, where that has happened since the last call. */
  lostAfter(): string | undefined
  /** A job's state at a position of the stream: it contains the entry `at` and all before it, and none after it. */
  stateOf(jobId: string): Promise<{ job: QueuedJob | undefined; at: string }>
}

export function createQueueStream(source: Source): QueueStream {
  let last = '0-0'
  /** The stream still had the entry `last` at the last read. Once that was trimmed, unread entries after it may have been trimmed too. */
  let hasLast = false
  let lost: string | undefined
  let untaken: QueueEntry[] = []
  let latest: Promise<void> = Promise.resolve()
  let upcoming: Promise<void> | undefined

  async function entriesAfterLast(waitMs: number): Promise<QueueEntry[]> {
    if (hasLast) {
      const entries = await source.entries(beforeId(last), 1)
      hasLast = entries[0]?.id === last
      if (hasLast) entries.shift()
      else lost ??= last
      if (entries.length > 0 || (hasLast && waitMs === 0)) return entries
    }
    return source.entries(last, Math.max(1, waitMs))
  }

  async function readOn(waitMs: number): Promise<void> {
    const entries = await entriesAfterLast(waitMs)
    last = entries.at(-1)?.id ?? last
    hasLast ||= entries.length > 0
    for (const entry of entries) if (entry.jobId !== '') untaken.push(entry)
  }

  function read(waitMs: number): Promise<void> {
    upcoming ??= latest = latest
      .catch(() => {}) // the earlier read's own callers get its rejection
      .then(() => {
        upcoming = undefined
        return readOn(waitMs)
      })
    return upcoming
  }

  const isEntryOf = (jobId: string) => (entry: QueueEntry) => entry.jobId === jobId

  return {
    read,
    take() {
      const entries = untaken
      untaken = []
      return entries
    },
    hasUntaken: (jobId) => untaken.some(isEntryOf(jobId)),
    lostAfter() {
      const after = lost
      lost = undefined
      return after
    },
    async stateOf(jobId) {
      for (;;) {
        const known = untaken.length
        const job = await source.job(jobId)
        await read(0)
        // BullMQ writes a job's state and its entry in one step. So an entry that came between the two reads may be in the state or not: read the state
        // again. Not for
        // progress, which may come without a pause: its value is taken from the entry.
        const between = untaken.slice(known).filter(isEntryOf(jobId))
        const latest = between.at(-1)
        if (!latest) return { job, at: last }
        if (between.every(({ event }) => event === 'progress')) return { job: job && { ...job, progress: progressIn(latest.fields) }, at: last }
      }
    }
  }
}
