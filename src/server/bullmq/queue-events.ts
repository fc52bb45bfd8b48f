import type { Source } from './source.ts'
import { beforeId, type Entry, progressIn, type QueuedJob } from './to-job-event.ts'

/** A queue's stream of events, from its oldest entry on. */
export interface Stream {
  /** Reads on, waiting `waitMs` for the first entry. Calls in the same turn are one read, which begins after them. */
  read(waitMs: number): Promise<void>
  /** What has been read since the last call. */
  take(): Entry[]
  /** Whether an entry of the job has been read, but not taken. */
  isAhead(jobId: string): boolean
  /** The entry after which some were trimmed before they were read, if any were since the last call. */
  lostAfter(): string | undefined
  /** A job as it stood at an entry: `at` and all before it are in its state, none after it is. */
  stateOf(jobId: string): Promise<{ job: QueuedJob | undefined; at: string }>
}

export function createStream(source: Source): Stream {
  let last = '0-0'
  /** The stream had `last` when it was last looked at: once it has gone, so may entries after it that nobody has read. */
  let isHere = false
  let lost: string | undefined
  let untaken: Entry[] = []
  let latest: Promise<void> = Promise.resolve()
  let upcoming: Promise<void> | undefined

  async function entriesAfterLast(waitMs: number): Promise<Entry[]> {
    if (isHere) {
      const entries = await source.entries(beforeId(last), 1)
      isHere = entries[0]?.id === last
      if (isHere) entries.shift()
      else lost ??= last
      if (entries.length > 0 || (isHere && waitMs === 0)) return entries
    }
    return source.entries(last, Math.max(1, waitMs))
  }

  async function readOn(waitMs: number): Promise<void> {
    const entries = await entriesAfterLast(waitMs)
    last = entries.at(-1)?.id ?? last
    isHere ||= entries.length > 0
    for (const entry of entries) if (entry.jobId !== '') untaken.push(entry)
  }

  function read(waitMs: number): Promise<void> {
    upcoming ??= latest = latest
      .catch(() => {}) // its own caller has it
      .then(() => {
        upcoming = undefined
        return readOn(waitMs)
      })
    return upcoming
  }

  const isOf = (jobId: string) => (entry: Entry) => entry.jobId === jobId

  return {
    read,
    take() {
      const entries = untaken
      untaken = []
      return entries
    },
    isAhead: (jobId) => untaken.some(isOf(jobId)),
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
        // A state and its entry are written together: what has come in between may be in it or not. Progress, which may never pause, is the entry's own.
        const between = untaken.slice(known).filter(isOf(jobId))
        const latest = between.at(-1)
        if (!latest) return { job, at: last }
        if (between.every(({ event }) => event === 'progress')) return { job: job && { ...job, progress: progressIn(latest.fields) }, at: last }
      }
    }
  }
}
