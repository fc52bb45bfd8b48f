import type { ConnectionOptions } from 'bullmq'
import { child, delay, withTimeout } from '../../async/signals.ts'
import { type EventLog, isLogError, LogError } from '../log/types.ts'
import { wrapLog } from '../log/wrap.ts'
import type { JobServer } from '../types.ts'
import { createLeaderElection } from './leader-election.ts'
import { createLedger } from './ledger.ts'
import { createSession, type Session } from './session.ts'
import { createSource } from './source.ts'

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

/** A running bridge from a BullMQ queue to an event log. */
export interface BullmqBridge {
  /** Resolves once every job that was in the queue before is logged, by this bridge or the leading one. Rejects where the bridge is closed before that. */
  readonly ready: Promise<void>
  /** The log. With `lazy`, a `read`, `snapshot` or `watch` of a job begins to log it. */
  readonly log: EventLog
  /** Stops the bridge, and resolves once its connections are closed. Doesn't close the log. Close the bridge before the server. */
  close(): Promise<void>
}

const RETRY_MS = 1000
/** How long `close` waits until the log has released the lead to another bridge. */
const RELEASE_MS = 1000
/** How many requested jobs a lazy bridge remembers. */
const MAX_REMEMBERED = 10_000

/**
 * Logs the jobs of a BullMQ queue while its workers run them: `queued`, `started`, `progress`, `log`, `retrying`, and the terminal event. Each event is logged once.
 * Producers and workers need no change. Any number of bridges may share a queue and a log: one leads, and another takes over where that one is closed or its
 * process dies (within 15 s).
 *
 * ```ts
 * const bridge = bullmqBridge({ queue: 'videos', connection: { host: 'redis', port: 6379 }, jobs })
 * ```
 *
 * @throws {TypeError} or `RangeError` for an option out of range; the message names it.
 */
export function bullmqBridge(options: BullmqBridgeOptions): BullmqBridge {
  const { queue, connection, prefix = 'bull', idOf = (id) => id, lazy: isLazy = false } = options
  const { rowsEveryMs = 1000, checkEveryMs = 60_000, lookBackMs = 3_600_000, onError = (error) => console.error('jobtail:', error) } = options
  const log = check(options)
  const filter = filterOf(options)
  const closing = new AbortController()
  const { signal } = closing
  const source = createSource({ queue, connection, prefix, signal, onError })
  const election = createLeaderElection(log, `bullmq:${prefix}:${queue}`)
  const ledger = createLedger(log)
  const since = Date.now() - lookBackMs
  const ready = Promise.withResolvers<void>()
  ready.promise.catch(() => {}) // callers that await `ready` get the rejection
  const requested = new Set<string>()
  let session: Session | undefined

  async function onCaughtUp(open: readonly string[]): Promise<void> {
    await election.recordOpen(open)
    ready.resolve()
  }

  /** Logs jobs for as long as this bridge leads. */
  async function lead(open: readonly string[]): Promise<void> {
    const term = child(signal)
    const own = createSession({ source, ledger, idOf, filter, isLazy, since, rowsEveryMs, checkEveryMs, signal: term.signal, onError, onCaughtUp })
    session = own
    const lost = election.renewLease(term.signal)
    lost.catch(() => {}) // rejects at the end of the term; the race below has settled by then
    let stop = (): void => {}
    try {
      if (isLazy) stop = await election.onRequest(own.request)
      await Promise.race([own.run(open), lost])
    } finally {
      session = undefined
      term.abort()
      term.release()
      stop()
      if (signal.aborted) await withTimeout(election.release(own.open()), RELEASE_MS, new AbortController().signal, () => new Error('late')).catch(() => {}) // the lease ends by itself
    }
  }

  async function leadForever(): Promise<void> {
    for (;;) {
      signal.throwIfAborted()
      try {
        await lead(await election.acquire(signal, ready.resolve))
      } catch (error) {
        if (signal.aborted || isLogError(error, 'closed')) throw error
        onError(error)
        await delay(RETRY_MS, signal)
      }
    }
  }

  /** With `lazy`: begins to log a job that somebody asks for. */
  async function request(id: string): Promise<void> {
    if (!isLazy || requested.has(id) || signal.aborted) return
    requested.add(id)
    const [oldest] = requested
    if (requested.size > MAX_REMEMBERED && oldest !== undefined) requested.delete(oldest)
    const jobId = await source.job(id).then((job) => job && id)
    if (jobId === undefined) requested.delete(id)
    else if (session) session.request(jobId)
    else await election.requestJob(jobId)
  }

  const running = leadForever().catch((error) => {
    ready.reject(error)
    if (!signal.aborted) onError(error)
    closing.abort(error)
  })
  const ended = running.then(() => source.close())
  return {
    ready: ready.promise,
    log: wrapLog(log, {
      async watch(job, wake) {
        request(job).catch(onError)
        return log.watch(job, wake)
      },
      async snapshot(job) {
        await request(job).catch(onError)
        return log.snapshot(job)
      },
      async read(job, after, limit) {
        await request(job).catch(onError)
        return log.read(job, after, limit)
      }
    }),
    close() {
      closing.abort(new LogError('closed', `the bridge of the queue ${JSON.stringify(queue)} is closed`))
      return ended
    }
  }
}

/** The filter, with its errors reported: a job for which it throws isn't logged. */
function filterOf({ filter = () => true, onError = console.error }: BullmqBridgeOptions): (job: { id: string; name: string }) => boolean {
  return (job) => {
    try {
      return filter(job)
    } catch (error) {
      onError(error)
      return false
    }
  }
}

function check({ queue, connection, jobs, filter, lazy, idOf, rowsEveryMs = 1, checkEveryMs = 1, lookBackMs = 0 }: BullmqBridgeOptions): EventLog {
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
