import type { Ledger, LogView } from './ledger.ts'
import type { QueueStream } from './queue-events.ts'
import type { Source } from './source.ts'
import { compareIds, eventOf, goneEvent, isNewRun, nextTowards, type QueuedJob, type QueueEntry, rowEvent, timeOf } from './to-job-event.ts'

export interface JobsOptions {
  source: Source
  stream: QueueStream
  ledger: Ledger
  /** The id under which a job is logged. */
  idOf: (jobId: string) => string
  /** Jobs that ended before this time are ignored, in ms since 1970. */
  since: number
  filter: (job: { id: string; name: string }) => boolean
  /** Only jobs that were given to `want` are logged. */
  isLazy: boolean
}

/** Logs each job of a queue. The caller must not make two calls for the same job at once. */
export interface Jobs {
  /** Logs an entry of the queue's stream, unless the log has it already. */
  log(entry: QueueEntry): Promise<void>
  /**
   * Logs the difference between a job's state in the queue and its log: for entries that the stream no longer has. `done`: the log is up to date, or the job
   * isn't logged. `ahead`: the stream has unlogged entries of the job; log those first. `past`: the job ended before `earliest` (default `since`), and is
   * ignored.
   */
  catchUp(jobId: string, earliest?: number): Promise<'done' | 'ahead' | 'past'>
  /** Logs the job's new log rows, which the stream doesn't announce. */
  logRows(jobId: string): Promise<void>
  /** Jobs that are running. */
  running(): string[]
  /** Jobs that have not ended. */
  open(): string[]
  /** With `isLazy`: the job is logged from now on. */
  logFromNowOn(jobId: string): void
  /** At most `count` of the jobs that have not ended: those that this function returned the longest ago. */
  nextToCheck(count: number): string[]
}

/** How many ended jobs are remembered, so that further entries of them are skipped without reading their logs. */
const MAX_REMEMBERED = 10_000

/** Whether an entry is later than everything in an ended log. A log without marks is compared by the time of its terminal event. */
const isAfter = ({ mark, endedAt }: LogView, id: string): boolean => (mark.entry === '0-0' ? timeOf(id) > endedAt : compareIds(id, mark.entry) > 0)

/** Whether a job in the queue is in another run than the one that ended its log. */
const isAnotherRun = ({ finishedOn }: QueuedJob, { endedAt }: LogView): boolean => finishedOn === undefined || finishedOn > endedAt + CLOCK_SKEW_MS

/** `finishedOn` is by the worker's clock, an event's time by the log's: how far they may differ. */
const CLOCK_SKEW_MS = 60_000

export function createJobs({ source, stream, ledger, idOf, since, filter, isLazy }: JobsOptions): Jobs {
  const createdAt = Date.now()
  const views = new Map<string, LogView>()
  const ended = new Set<string>()
  const requested = new Set<string>()

  async function viewOf(jobId: string): Promise<LogView> {
    const known = views.get(jobId)
    if (known) return known
    const view = await ledger.open(idOf(jobId))
    if (view.hasEnded) forget(jobId)
    else views.set(jobId, view)
    return view
  }

  async function restart(view: LogView, jobId: string): Promise<void> {
    await ledger.restart(view)
    ended.delete(jobId)
    views.set(jobId, view)
  }

  function forget(jobId: string): void {
    views.delete(jobId)
    ended.add(jobId)
    const [oldest] = ended
    if (ended.size > MAX_REMEMBERED && oldest !== undefined) ended.delete(oldest)
  }

  /** Whether a time is too long ago to log the job. Of a job whose log was dropped (`history-gone`), everything before this bridge began is. */
  const isPast = (time: number, { isGone }: LogView, earliest = since): boolean => time < (isGone ? Math.max(createdAt, earliest) : earliest)

  /** Handles the first entry of a job whose log is empty. Resolves with `true` where the entry has to be logged. */
  async function onFirstEntry(view: LogView, { id, event, jobId }: QueueEntry): Promise<boolean> {
    const isOld = isPast(timeOf(id), view)
    if (event === 'added' && !isOld) return true // `log` has asked `filter`
    const { job, at } = await stream.stateOf(jobId)
    if (job) return logState(view, jobId, job, at)
    if (isOld || event === 'removed') forget(jobId)
    return !ended.has(jobId)
  }

  async function logState(view: LogView, jobId: string, job: QueuedJob, at: string, earliest?: number): Promise<boolean> {
    if (view.seq === 0 && !filter({ id: jobId, name: job.name })) {
      forget(jobId)
      return false
    }
    if (job.finishedOn !== undefined && view.seq === 0 && isPast(job.finishedOn, view, earliest)) {
      forget(jobId)
      return false
    }
    await appendTowards(view, { ...job, state: 'unfinished' }, at)
    await appendRows(view, jobId)
    await appendTowards(view, job, at)
    if (view.hasEnded) forget(jobId)
    return true
  }

  async function appendTowards(view: LogView, job: QueuedJob, at: string): Promise<void> {
    for (let isThere = false; !isThere; ) {
      isThere = true
      await ledger.append(view, (now) => {
        const wanted = nextTowards(job, at, now.seq === 0, now)
        isThere = wanted === undefined
        return wanted
      })
      isThere ||= view.hasEnded
    }
  }

  async function appendRows(view: LogView, jobId: string): Promise<void> {
    const first = view.mark.rows
    for (const [at, message] of (await source.rows(jobId, first)).entries())
      await ledger.append(view, (now) => (now.mark.rows === first + at ? rowEvent(message, now) : undefined))
  }

  return {
    async log(entry) {
      const { id, event, jobId, fields } = entry
      if (isLazy && !requested.has(jobId)) return
      if (event === 'added' && !filter({ id: jobId, name: fields.name ?? '' })) return
      if (isNewRun(entry)) ended.delete(jobId)
      if (ended.has(jobId)) return
      const view = await viewOf(jobId)
      if (view.hasEnded && isNewRun(entry) && isAfter(view, id)) await restart(view, jobId)
      if (view.hasEnded || (view.seq === 0 && !(await onFirstEntry(view, entry)))) return
      if (compareIds(id, view.mark.entry) <= 0) return
      if (event === 'completed' || event === 'failed') await appendRows(view, jobId)
      const isRetry = event === 'delayed' || fields.prev === 'active'
      const job = isRetry && view.status === 'running' ? await source.job(jobId) : undefined
      await ledger.append(view, (now) => (compareIds(id, now.mark.entry) > 0 ? eventOf(entry, now, job) : undefined))
      if (view.hasEnded) forget(jobId)
    },
    async catchUp(jobId, earliest) {
      if (ended.has(jobId)) return 'done'
      const view = await viewOf(jobId)
      const wasOver = view.hasEnded
      const before = view.mark.entry
      const found = await stream.stateOf(jobId)
      const { job } = found
      // The log's mark may be later than the stream's last entry, which was trimmed. The job's state is then at least as late as the mark.
      const at = compareIds(before, found.at) > 0 ? before : found.at
      if (stream.hasUntaken(jobId)) return 'ahead'
      if (wasOver && !(job && isAnotherRun(job, view))) return 'done'
      if (wasOver) await restart(view, jobId)
      if (job) return (await logState(view, jobId, job, at, earliest)) ? 'done' : 'past'
      if (view.seq > 0) await ledger.append(view, (now) => (compareIds(now.mark.entry, at) > 0 ? undefined : goneEvent(at, now)))
      if (view.hasEnded || view.seq === 0) forget(jobId)
      return 'done'
    },
    async logRows(jobId) {
      const view = views.get(jobId)
      if (view) await appendRows(view, jobId)
      if (view?.hasEnded) forget(jobId)
    },
    nextToCheck(count) {
      const found = [...views].slice(0, count)
      for (const [jobId, view] of found) {
        views.delete(jobId)
        views.set(jobId, view)
      }
      return found.map(([jobId]) => jobId)
    },
    open: () => [...views.keys()],
    logFromNowOn(jobId) {
      ended.delete(jobId)
      requested.add(jobId)
      const [oldest] = requested
      if (requested.size > MAX_REMEMBERED && oldest !== undefined && !views.has(oldest)) requested.delete(oldest)
    },
    running: () => [...views].filter(([, { status }]) => status === 'running').map(([jobId]) => jobId)
  }
}
