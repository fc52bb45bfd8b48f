import type { ConnectionOptions } from 'bullmq'
import { delay } from '../../async/signals.ts'
import type { EventLog } from '../log/types.ts'
import { isLogError, LogError } from '../log/types.ts'
import type { JobServer } from '../types.ts'
import { timeOf } from './entry.ts'
import { createJobs } from './jobs.ts'
import { createLedger } from './ledger.ts'
import { inParallel } from './parallel.ts'
import { createSource } from './source.ts'
import { createStream } from './stream.ts'

export interface BullmqBridgeOptions {
  /** The queue's name. */
  queue: string
  /** As BullMQ takes it. */
  connection: ConnectionOptions
  /** The server whose readers follow the jobs, or its log. */
  jobs: JobServer | EventLog
  /** BullMQ's own, of its keys. Default `bull`. */
  prefix?: string
  /** The id under which a job is followed. Default: its own; several queues that number their jobs need different ones. */
  idOf?: (jobId: string) => string
  /** How often the log rows of running jobs are looked for: BullMQ doesn't announce them. Default 1000. */
  rowsEveryMs?: number
  /** How often unfinished jobs are looked for in the queue, a thousand at a time: what empties a queue doesn't announce which jobs went. Default a minute. */
  checkEveryMs?: number
  /** Jobs that ended longer than this before the bridge began are left alone. Default an hour. */
  lookBackMs?: number
  onError?: (error: unknown) => void
}

export interface BullmqBridge {
  /** Resolves once all that was in the queue before is in the log; rejects where the bridge is closed before that. */
  readonly ready: Promise<void>
  /** Ends all connections of the bridge; the log stays open. */
  close(): Promise<void>
}

const IDLE_MS = 10_000
const RETRY_MS = 1000
const FINISHED_PAGE = 100
const CATCH_UP_ROUNDS = 10
const CHECKED_AT_ONCE = 1000
/** A job's end has its worker's time, an entry that of Redis. */
const CLOCK_SKEW_MS = 60_000

/** Makes logs of a queue's jobs, as its workers go. Any number of bridges may do so for one queue and one log: each event is logged once. */
export function bullmqBridge(options: BullmqBridgeOptions): BullmqBridge {
  const { queue, connection, prefix, idOf = (id) => id, rowsEveryMs = 1000, checkEveryMs = 60_000, lookBackMs = 3_600_000 } = options
  const { onError = (error) => console.error('jobtail:', error) } = options
  const log = check(options)
  if (!(rowsEveryMs >= 1)) throw new RangeError(`rowsEveryMs: expected milliseconds from 1, got ${rowsEveryMs}`)
  if (!(checkEveryMs >= 1)) throw new RangeError(`checkEveryMs: expected milliseconds from 1, got ${checkEveryMs}`)
  if (!(lookBackMs >= 0)) throw new RangeError(`lookBackMs: expected milliseconds from 0, got ${lookBackMs}`)
  const closing = new AbortController()
  const { signal } = closing
  const source = createSource({ queue, connection, signal, onError, ...(prefix === undefined ? {} : { prefix }) })
  const stream = createStream(source)
  const jobs = createJobs({ source, stream, ledger: createLedger(log), idOf, since: Date.now() - lookBackMs })
  const ready = Promise.withResolvers<void>()
  ready.promise.catch(() => {}) // whoever waits for it has it

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
    const unfinished = (await patiently(source.unfinished)) ?? []
    // A part at a time, so that what happens meanwhile is logged meanwhile.
    for (let at = 0; at < unfinished.length; at += CHECKED_AT_ONCE) await catchUpWith(unfinished.slice(at, at + CHECKED_AT_ONCE), earliest)
    for (const state of ['completed', 'failed'] as const)
      for (let from = 0; ; from += FINISHED_PAGE) {
        const ids = (await patiently(() => source.finished(state, from, FINISHED_PAGE))) ?? []
        if (!(await catchUpWith(ids, earliest)) || ids.length < FINISHED_PAGE) break
      }
  }

  async function follow(): Promise<void> {
    await patiently(() => stream.read(0))
    await logEntries()
    await catchUp()
    await logEntries()
    ready.resolve()
    let rowsAt = performance.now() + rowsEveryMs
    let checkAt = performance.now()
    for (;;) {
      const running = jobs.running()
      if (rowsAt <= performance.now()) {
        await inParallel(running, (id) => patiently(() => jobs.logRows(id)))
        rowsAt = performance.now() + rowsEveryMs
      }
      if (checkAt <= performance.now()) {
        // No sooner: the events of a busy queue may be kept for less time than it takes to catch up.
        const lost = stream.lostAfter()
        if (lost !== undefined) await catchUp(timeOf(lost) - CLOCK_SKEW_MS)
        await catchUpWith(jobs.unheard(CHECKED_AT_ONCE))
        checkAt = performance.now() + checkEveryMs
      }
      const dueAt = Math.min(checkAt, running.length > 0 ? rowsAt : Number.POSITIVE_INFINITY)
      await patiently(() => stream.read(Math.ceil(Math.min(IDLE_MS, Math.max(0, dueAt - performance.now())))))
      await logEntries()
    }
  }

  const following = follow().catch((error) => {
    ready.reject(error)
    if (!signal.aborted) onError(error)
    closing.abort(error)
  })
  const ended = following.then(() => source.close())
  return {
    ready: ready.promise,
    close() {
      closing.abort(new LogError('closed', `the bridge of the queue ${JSON.stringify(queue)} is closed`))
      return ended
    }
  }
}

function check({ queue, connection, jobs }: BullmqBridgeOptions): EventLog {
  if (typeof queue !== 'string' || queue === '') throw new TypeError(`queue: expected a queue's name, got ${typeof queue === 'string' ? '""' : typeof queue}`)
  if (typeof connection !== 'object' || connection === null) throw new TypeError('connection: expected what BullMQ takes, such as { host, port }')
  const log = typeof jobs === 'object' && jobs !== null ? ('append' in jobs ? jobs : jobs.log) : undefined
  if (!log) throw new TypeError('jobs: expected what createJobServer made, or a log')
  return log
}
