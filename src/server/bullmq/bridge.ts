import { child, delay, withTimeout } from '../../async/signals.ts'
import { type EventLog, isLogError, LogError } from '../log/types.ts'
import { wrapLog } from '../log/wrap.ts'
import { type BullmqBridgeOptions, checkOptions, filterOf } from './bridge-options.ts'
import { createLeaderElection } from './leader-election.ts'
import { createLedger } from './ledger.ts'
import { createSession, type Session } from './session.ts'
import { createSource } from './source.ts'

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
 * Logs the jobs of a BullMQ queue while its workers run them: `queued`, `started`, `progress`, `log`, `retrying`, and the terminal event. Each event is
 * logged once. Producers and workers need no change. Any number of bridges may share a queue and a log: one leads, and another takes over where that one is
 * closed or its process dies (within 15 s).
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
  const log = checkOptions(options)
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
      if (signal.aborted)
        await withTimeout(
          () => election.release(own.open()),
          RELEASE_MS,
          new AbortController().signal,
          () => new Error('late')
        ).catch(() => {}) // the lease ends by itself
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
