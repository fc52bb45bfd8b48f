import { delay } from '../../async/signals.ts'
import { isLogError } from '../log/types.ts'
import { createJobs, type JobsOptions } from './jobs.ts'
import { inParallel } from './parallel.ts'
import { createStream } from './queue-events.ts'
import { timeOf } from './to-job-event.ts'

export interface SessionOptions extends Omit<JobsOptions, 'stream'> {
  rowsEveryMs: number
  checkEveryMs: number
  signal: AbortSignal
  onError: (error: unknown) => void
  /** Called once all that was in the queue before is in the log, and at each check, with the jobs that are unfinished. */
  onCaughtUp: (open: readonly string[]) => Promise<void>
}

/** A bridge's work for as long as it leads. */
export interface Session {
  /** Until the signal aborts: rejects with its reason. `open`: jobs that were unfinished when another bridge led. */
  run(open: readonly string[]): Promise<never>
  /** Logs a job that has been left out so far. */
  want(jobId: string): void
  open(): string[]
}

const IDLE_MS = 10_000
const RETRY_MS = 1000
const FINISHED_PAGE = 100
const CATCH_UP_ROUNDS = 10
const CHECKED_AT_ONCE = 1000
/** A job's end has its worker's time, an entry that of Redis. */
const CLOCK_SKEW_MS = 60_000

export function createSession({ rowsEveryMs, checkEveryMs, signal, onError, onCaughtUp, ...options }: SessionOptions): Session {
  const { source, isLazy } = options
  const stream = createStream(source)
  const jobs = createJobs({ ...options, stream })
  const wanted = new Set<string>()

  /** Again for as long as the log, or the queue, is out of reach. What can't be logged is passed over. */
  async function patiently<T>(work: () => Promise<T>): Promise<T | undefined> {
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

  /** Logs what has been read. */
  async function logEntries(): Promise<void> {
    for (let entries = stream.take(); entries.length > 0; entries = stream.take()) {
      const byJob = Map.groupBy(entries, ({ jobId }) => jobId)
      await inParallel(byJob.values(), async (own) => {
        for (const entry of own) await patiently(() => jobs.log(entry))
      })
    }
  }

  /** What the stream no longer tells. Resolves with whether none of these jobs ended before `earliest`. */
  async function catchUpWith(jobIds: readonly string[], earliest?: number): Promise<boolean> {
    let isRecent = true
    let left = jobIds
    // A job that never pauses is left to its entries.
    for (let round = 0; left.length > 0 && round < CATCH_UP_ROUNDS; round += 1) {
      const ahead: string[] = []
      await inParallel(left, async (id) => {
        const outcome = await patiently(() => jobs.catchUp(id, earliest))
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
    const unfinished = (await patiently(source.unfinished)) ?? []
    // A part at a time, so that what happens meanwhile is logged meanwhile.
    for (let at = 0; at < unfinished.length; at += CHECKED_AT_ONCE) await catchUpWith(unfinished.slice(at, at + CHECKED_AT_ONCE), earliest)
    for (const state of ['completed', 'failed'] as const)
      for (let from = 0; ; from += FINISHED_PAGE) {
        const ids = (await patiently(() => source.finished(state, from, FINISHED_PAGE))) ?? []
        if (!(await catchUpWith(ids, earliest)) || ids.length < FINISHED_PAGE) break
      }
  }

  async function logWanted(): Promise<void> {
    const ids = [...wanted]
    wanted.clear()
    for (const id of ids) jobs.want(id)
    await catchUpWith(ids)
  }

  async function check(): Promise<void> {
    // No sooner: the events of a busy queue may be kept for less time than it takes to catch up.
    const lost = stream.lostAfter()
    if (lost !== undefined) await catchUp(timeOf(lost) - CLOCK_SKEW_MS)
    await catchUpWith(jobs.unheard(CHECKED_AT_ONCE))
    await patiently(() => onCaughtUp(jobs.open()))
  }

  return {
    open: jobs.open,
    want(jobId) {
      wanted.add(jobId)
    },
    async run(open) {
      for (const id of open) jobs.want(id)
      await patiently(() => stream.read(0))
      await logEntries()
      await catchUp()
      await catchUpWith(open)
      await logEntries()
      await patiently(() => onCaughtUp(jobs.open()))
      let rowsAt = performance.now() + rowsEveryMs
      let checkAt = performance.now()
      for (;;) {
        const running = jobs.running()
        if (rowsAt <= performance.now()) {
          await inParallel(running, (id) => patiently(() => jobs.logRows(id)))
          rowsAt = performance.now() + rowsEveryMs
        }
        if (checkAt <= performance.now()) {
          await check()
          checkAt = performance.now() + checkEveryMs
        }
        if (wanted.size > 0) await logWanted()
        const dueAt = Math.min(checkAt, running.length > 0 ? rowsAt : Number.POSITIVE_INFINITY)
        const idleMs = isLazy ? rowsEveryMs : IDLE_MS
        await patiently(() => stream.read(Math.ceil(Math.min(idleMs, Math.max(0, dueAt - performance.now())))))
        await logEntries()
      }
    }
  }
}
