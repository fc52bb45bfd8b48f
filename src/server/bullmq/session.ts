import { delay } from '../../async/signals.ts'
import { isLogError } from '../log/types.ts'
import { createJobs, type JobsOptions } from './jobs.ts'
import { inParallel } from './parallel.ts'
import { createQueueStream } from './queue-events.ts'
import { timeOf } from './to-job-event.ts'

export interface SessionOptions extends Omit<JobsOptions, 'stream'> {
  rowsEveryMs: number
  checkEveryMs: number
  signal: AbortSignal
  onError: (error: unknown) => void
  /** Called with the unfinished jobs: once every job that was in the queue before is logged, and at each check. */
  onCaughtUp: (open: readonly string[]) => Promise<void>
}

/** The work of a bridge while it leads. */
export interface Session {
  /** Logs the queue's jobs until the signal is aborted; then rejects with its reason. `open`: the unfinished jobs that the last leader has handed on. */
  run(open: readonly string[]): Promise<never>
  /** With `lazy`: begins to log a job. */
  request(jobId: string): void
  /** The unfinished jobs. */
  open(): string[]
}

const IDLE_MS = 10_000
const RETRY_MS = 1000
const FINISHED_PAGE = 100
const CATCH_UP_ROUNDS = 10
const CHECKED_AT_ONCE = 1000
/** `finishedOn` is by the worker's clock, an entry's time by that of Redis: how far they may differ. */
const CLOCK_SKEW_MS = 60_000

export function createSession({ rowsEveryMs, checkEveryMs, signal, onError, onCaughtUp, ...options }: SessionOptions): Session {
  const { source, isLazy } = options
  const stream = createQueueStream(source)
  const jobs = createJobs({ ...options, stream })
  const requested = new Set<string>()

  /** Repeats `work` each second until it succeeds, since the log or the queue may be unavailable. Skips what no log can take (`TypeError`, `RangeError`). */
  async function retry<T>(work: () => Promise<T>): Promise<T | undefined> {
    for (;;) {
      try {
        signal.throwIfAborted()
        return await work()
      } catch (error) {
        if (signal.aborted || isLogError(error, 'closed')) throw error
        onError(error)
        if (error instanceof TypeError || error instanceof RangeError) return undefined
        await delay(RETRY_MS, signal)
      }
    }
  }

  /** Logs the entries that were read, in order for each job. */
  async function logEntries(): Promise<void> {
    for (let entries = stream.take(); entries.length > 0; entries = stream.take()) {
      const byJob = Map.groupBy(entries, ({ jobId }) => jobId)
      await inParallel(byJob.values(), async (own) => {
        for (const entry of own) await retry(() => jobs.log(entry))
      })
    }
  }

  /** Catches up with jobs whose entries the stream no longer has. Resolves with `false` where one of them ended before `earliest`. */
  async function catchUpWith(jobIds: readonly string[], earliest?: number): Promise<boolean> {
    let isRecent = true
    let left = jobIds
    // A job with new entries in every round is logged by its entries.
    for (let round = 0; left.length > 0 && round < CATCH_UP_ROUNDS; round += 1) {
      const ahead: string[] = []
      await inParallel(left, async (id) => {
        const outcome = await retry(() => jobs.catchUp(id, earliest))
        if (outcome === 'ahead') ahead.push(id)
        if (outcome === 'past') isRecent = false
      })
      await logEntries()
      left = ahead
    }
    return isRecent
  }

  async function catchUp(earliest?: number): Promise<void> {
    if (isLazy) return
    const unfinished = (await retry(source.unfinished)) ?? []
    // A part at a time: between the parts, new entries are logged.
    for (let at = 0; at < unfinished.length; at += CHECKED_AT_ONCE) await catchUpWith(unfinished.slice(at, at + CHECKED_AT_ONCE), earliest)
    for (const state of ['completed', 'failed'] as const)
      for (let from = 0; ; from += FINISHED_PAGE) {
        const ids = (await retry(() => source.finished(state, from, FINISHED_PAGE))) ?? []
        if (!(await catchUpWith(ids, earliest)) || ids.length < FINISHED_PAGE) break
      }
  }

  async function logRequested(): Promise<void> {
    const ids = [...requested]
    requested.clear()
    for (const id of ids) jobs.logFromNowOn(id)
    await catchUpWith(ids)
  }

  async function check(): Promise<void> {
    // Only at a check, not as soon as entries are lost: a busy queue may trim its stream faster than catching up takes, which would then never end.
    const lost = stream.lostAfter()
    if (lost !== undefined) await catchUp(timeOf(lost) - CLOCK_SKEW_MS)
    await catchUpWith(jobs.nextToCheck(CHECKED_AT_ONCE))
    await retry(() => onCaughtUp(jobs.open()))
  }

  return {
    open: jobs.open,
    request(jobId) {
      requested.add(jobId)
    },
    async run(open) {
      for (const id of open) jobs.logFromNowOn(id)
      await retry(() => stream.read(0))
      await logEntries()
      await catchUp()
      await catchUpWith(open)
      await logEntries()
      await retry(() => onCaughtUp(jobs.open()))
      let rowsAt = performance.now() + rowsEveryMs
      let checkAt = performance.now()
      for (;;) {
        const running = jobs.running()
        if (rowsAt <= performance.now()) {
          await inParallel(running, (id) => retry(() => jobs.logRows(id)))
          rowsAt = performance.now() + rowsEveryMs
        }
        if (checkAt <= performance.now()) {
          await check()
          checkAt = performance.now() + checkEveryMs
        }
        if (requested.size > 0) await logRequested()
        const dueAt = Math.min(checkAt, running.length > 0 ? rowsAt : Number.POSITIVE_INFINITY)
        const idleMs = isLazy ? rowsEveryMs : IDLE_MS
        await retry(() => stream.read(Math.ceil(Math.min(idleMs, Math.max(0, dueAt - performance.now())))))
        await logEntries()
      }
    }
  }
}
