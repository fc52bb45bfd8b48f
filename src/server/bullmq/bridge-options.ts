import type { ConnectionOptions } from 'bullmq'
import type { EventLog } from '../log/types.ts'
import type { JobServer } from '../types.ts'

/** Options of `bullmqBridge`. Several bridges of one queue need the same options. */
export interface BullmqBridgeOptions {
  /** The queue's name. */
  queue: string
  /** The connection to the queue's Redis, as BullMQ takes it. Nothing is written to the queue. */
  connection: ConnectionOptions
  /** The server whose readers follow the jobs, or its log. With several bridges, a log that they share. With `lazy`, a log. */
  jobs: JobServer | EventLog
  /**
   * BullMQ's prefix of the queue's keys.
   *
   * @defaultValue `'bull'`
   */
  prefix?: string
  /**
   * The id under which a job of the queue is followed. Queues that share a log and number their jobs need different ones. Not with `lazy`.
   *
   * @defaultValue the job's own id
   */
  idOf?: (jobId: string) => string
  /**
   * Whether a job is logged. Where it throws, the job isn't, and `onError` gets the error.
   *
   * @defaultValue every job is logged
   */
  filter?: (job: { id: string; name: string }) => boolean
  /**
   * Logs a job only once somebody asks `bridge.log` for it: give that to `createJobServer({ log: bridge.log })`.
   *
   * @defaultValue `false`
   */
  lazy?: boolean
  /**
   * How often the log rows of running jobs are read, in ms, from 1: BullMQ announces no rows. One request for each running job.
   *
   * @defaultValue 1000
   */
  rowsEveryMs?: number
  /**
   * How often unfinished jobs are looked up in the queue, in ms, from 1; 1,000 jobs at a time. BullMQ doesn't announce which jobs `drain`, `clean` and
   * `obliterate` remove.
   *
   * @defaultValue 60,000
   */
  checkEveryMs?: number
  /**
   * Jobs that ended longer than this before the bridge was made are ignored, in ms, from 0.
   *
   * @defaultValue 3,600,000 (an hour)
   */
  lookBackMs?: number
  /**
   * Gets every error. The bridge goes on: while the queue or the log can't be reached it tries again each second, and a job that no log can take is skipped.
   *
   * @defaultValue `console.error`
   */
  onError?: (error: unknown) => void
}

/** The filter, with its errors reported: a job for which it throws isn't logged. */
export function filterOf({ filter = () => true, onError = console.error }: BullmqBridgeOptions): (job: { id: string; name: string }) => boolean {
  return (job) => {
    try {
      return filter(job)
    } catch (error) {
      onError(error)
      return false
    }
  }
}

/** Checks the options, and returns the log. Throws a `TypeError` or `RangeError` that names the option. */
export function checkOptions({
  queue,
  connection,
  jobs,
  filter,
  lazy,
  idOf,
  rowsEveryMs = 1,
  checkEveryMs = 1,
  lookBackMs = 0
}: BullmqBridgeOptions): EventLog {
  if (typeof queue !== 'string' || queue === '') throw new TypeError(`queue: expected a queue's name, got ${typeof queue === 'string' ? '""' : typeof queue}`)
  if (typeof connection !== 'object' || connection === null)
    throw new TypeError(`connection: expected an object as BullMQ takes it, such as { host, port }, got ${connection === null ? 'null' : typeof connection}`)
  const log = typeof jobs === 'object' && jobs !== null ? ('append' in jobs ? jobs : jobs.log) : undefined
  if (!log) throw new TypeError('jobs: expected a server of createJobServer, or an EventLog')
  if (filter !== undefined && typeof filter !== 'function') throw new TypeError(`filter: expected a function, got ${typeof filter}`)
  if (idOf !== undefined && typeof idOf !== 'function') throw new TypeError(`idOf: expected a function, got ${typeof idOf}`)
  if (lazy !== undefined && typeof lazy !== 'boolean') throw new TypeError(`lazy: expected true or false, got ${typeof lazy}`)
  if (lazy && idOf) throw new TypeError('lazy: expected no `idOf` beside it, since readers ask for a job by its own id')
  if (lazy && jobs !== log) throw new TypeError('lazy: expected an EventLog as `jobs`, got a server; pass `bridge.log` to createJobServer instead')
  if (!(rowsEveryMs >= 1)) throw new RangeError(`rowsEveryMs: expected milliseconds from 1, got ${rowsEveryMs}`)
  if (!(checkEveryMs >= 1)) throw new RangeError(`checkEveryMs: expected milliseconds from 1, got ${checkEveryMs}`)
  if (!(lookBackMs >= 0)) throw new RangeError(`lookBackMs: expected milliseconds from 0, got ${lookBackMs}`)
  return log
}
