import type { Ledger, View } from './ledger.ts'
import type { Stream } from './queue-events.ts'
import type { Source } from './source.ts'
import { compareIds, type Entry, eventOf, goneEvent, isNewRun, nextTowards, type QueuedJob, rowEvent, timeOf } from './to-job-event.ts'

export interface JobsOptions {
  source: Source
  stream: Stream
  ledger: Ledger
  /** The log of a job. */
  idOf: (jobId: string) => string
  /** Jobs that ended before are left alone. */
  since: number
  filter: (job: { id: string; name: string }) => boolean
  /** Only jobs that are wanted are logged. */
  isLazy: boolean
}

/** What becomes of each job of a queue. Calls for one job come one after the other. */
export interface Jobs {
  /** Logs an entry, where nobody has. */
  log(entry: Entry): Promise<void>
  /**
   * Logs what the log lacks of the job's state, which the stream no longer tells. `ahead`: entries are to be logged before;
   * `past`: it ended before `earliest` (default `since`), and is left alone.
   */
  catchUp(jobId: string, earliest?: number): Promise<'done' | 'ahead' | 'past'>
  /** Logs new log rows, of which the stream says nothing. */
  logRows(jobId: string): Promise<void>
  running(): string[]
  /** Those that are not over. */
  open(): string[]
  /** From now on it is logged, where jobs are logged only then. */
  want(jobId: string): void
  /** Those that are not over, at most `count`, first the ones that were given the longest ago. */
  unheard(count: number): string[]
}

/** How many jobs that are over are remembered, so that what still comes of them costs nothing. */
const REMEMBERED = 10_000

/** Whether an entry is later than all of a log that has ended. Where none of its events says what it was made of, its end's time has to do. */
const isAfter = ({ mark, endedAt }: View, id: string): boolean => (mark.entry === '0-0' ? timeOf(id) > endedAt : compareIds(id, mark.entry) > 0)

/** Whether a job, as it was found after the end of its log, is in another run than the one that ended. */
const isAnotherRun = ({ finishedOn }: QueuedJob, { endedAt }: View): boolean => finishedOn === undefined || finishedOn > endedAt + CLOCK_SKEW_MS

/** An end has its worker's time. */
const CLOCK_SKEW_MS = 60_000

export function createJobs({ source, stream, ledger, idOf, since, filter, isLazy }: JobsOptions): Jobs {
  const begunAt = Date.now()
  const views = new Map<string, View>()
  const over = new Set<string>()
  const wanted = new Set<string>()

  async function viewOf(jobId: string): Promise<View> {
    const known = views.get(jobId)
    if (known) return known
    const view = await ledger.look(idOf(jobId))
    if (view.isOver) forget(jobId)
    else views.set(jobId, view)
    return view
  }

  async function restart(view: View, jobId: string): Promise<void> {
    await ledger.restart(view)
    over.delete(jobId)
    views.set(jobId, view)
  }

  function forget(jobId: string): void {
    views.delete(jobId)
    over.add(jobId)
    const [oldest] = over
    if (over.size > REMEMBERED && oldest !== undefined) over.delete(oldest)
  }

  /** Whether it was so long ago that a log which isn't there has come and gone. */
  const isPast = (time: number, { isGone }: View, earliest = since): boolean => time < (isGone ? Math.max(begunAt, earliest) : earliest)

  /** The first that is heard of a job. Resolves with whether the entry is to be logged. */
  async function begin(view: View, { id, event, jobId }: Entry): Promise<boolean> {
    const isOld = isPast(timeOf(id), view)
    if (event === 'added' && !isOld) return true // `filter` has been asked
    const { job, at } = await stream.stateOf(jobId)
    if (job) return advance(view, jobId, job, at)
    if (isOld || event === 'removed') forget(jobId)
    return !over.has(jobId)
  }

  async function advance(view: View, jobId: string, job: QueuedJob, at: string, earliest?: number): Promise<boolean> {
    if (view.seq === 0 && !filter({ id: jobId, name: job.name })) {
      forget(jobId)
      return false
    }
    if (job.finishedOn !== undefined && view.seq === 0 && isPast(job.finishedOn, view, earliest)) {
      forget(jobId)
      return false
    }
    await approach(view, { ...job, state: 'unfinished' }, at)
    await takeRows(view, jobId)
    await approach(view, job, at)
    if (view.isOver) forget(jobId)
    return true
  }

  async function approach(view: View, job: QueuedJob, at: string): Promise<void> {
    for (let isThere = false; !isThere; ) {
      isThere = true
      await ledger.append(view, (now) => {
        const wanted = nextTowards(job, at, now.seq === 0, now)
        isThere = wanted === undefined
        return wanted
      })
      isThere ||= view.isOver
    }
  }

  async function takeRows(view: View, jobId: string): Promise<void> {
    const first = view.mark.rows
    for (const [at, message] of (await source.rows(jobId, first)).entries())
      await ledger.append(view, (now) => (now.mark.rows === first + at ? rowEvent(message, now) : undefined))
  }

  return {
    async log(entry) {
      const { id, event, jobId, fields } = entry
      if (isLazy && !wanted.has(jobId)) return
      if (event === 'added' && !filter({ id: jobId, name: fields.name ?? '' })) return
      if (isNewRun(entry)) over.delete(jobId)
      if (over.has(jobId)) return
      const view = await viewOf(jobId)
      if (view.isOver && isNewRun(entry) && isAfter(view, id)) await restart(view, jobId)
      if (view.isOver || (view.seq === 0 && !(await begin(view, entry)))) return
      if (compareIds(id, view.mark.entry) <= 0) return
      if (event === 'completed' || event === 'failed') await takeRows(view, jobId)
      const isRetry = event === 'delayed' || fields.prev === 'active'
      const job = isRetry && view.status === 'running' ? await source.job(jobId) : undefined
      await ledger.append(view, (now) => (compareIds(id, now.mark.entry) > 0 ? eventOf(entry, now, job) : undefined))
      if (view.isOver) forget(jobId)
    },
    async catchUp(jobId, earliest) {
      if (over.has(jobId)) return 'done'
      const view = await viewOf(jobId)
      const wasOver = view.isOver
      const before = view.mark.entry
      const found = await stream.stateOf(jobId)
      const { job } = found
      // What was in the log before the stream was read to its end, and isn't in it, was trimmed: the state is later.
      const at = compareIds(before, found.at) > 0 ? before : found.at
      if (stream.isAhead(jobId)) return 'ahead'
      if (wasOver && !(job && isAnotherRun(job, view))) return 'done'
      if (wasOver) await restart(view, jobId)
      if (job) return (await advance(view, jobId, job, at, earliest)) ? 'done' : 'past'
      if (view.seq > 0) await ledger.append(view, (now) => (compareIds(now.mark.entry, at) > 0 ? undefined : goneEvent(at, now)))
      if (view.isOver || view.seq === 0) forget(jobId)
      return 'done'
    },
    async logRows(jobId) {
      const view = views.get(jobId)
      if (view) await takeRows(view, jobId)
      if (view?.isOver) forget(jobId)
    },
    unheard(count) {
      const found = [...views].slice(0, count)
      for (const [jobId, view] of found) {
        views.delete(jobId)
        views.set(jobId, view)
      }
      return found.map(([jobId]) => jobId)
    },
    open: () => [...views.keys()],
    want(jobId) {
      over.delete(jobId)
      wanted.add(jobId)
      const [oldest] = wanted
      if (wanted.size > REMEMBERED && oldest !== undefined && !views.has(oldest)) wanted.delete(oldest)
    },
    running: () => [...views].filter(([, { status }]) => status === 'running').map(([jobId]) => jobId)
  }
}
