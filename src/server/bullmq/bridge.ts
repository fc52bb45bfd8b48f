import type { ConnectionOptions } from 'bullmq'
import { child, delay, withTimeout } from '../../async/signals.ts'
import { type EventLog, isLogError, LogError } from '../log/types.ts'
import { wrapLog } from '../log/wrap.ts'
import type { JobServer } from '../types.ts'
import { createLead } from './lead.ts'
import { createLedger } from './ledger.ts'
import { createSession, type Session } from './session.ts'
import { createSource } from './source.ts'

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
  /** Whether a job is logged. Default: all are. */
  filter?: (job: { id: string; name: string }) => boolean
  /** Logs a job only once somebody asks for it through `bridge.log`. Default false. */
  lazy?: boolean
  /** How often the log rows of running jobs are looked for: BullMQ doesn't announce them. Default 1000. */
  rowsEveryMs?: number
  /** How often unfinished jobs are looked for in the queue, a thousand at a time: what empties a queue doesn't announce which jobs went. Default a minute. */
  checkEveryMs?: number
  /** Jobs that ended longer than this before the bridge began are left alone. Default an hour. */
  lookBackMs?: number
  /** Told of what goes wrong; the bridge goes on. Default: `console.error`. */
  onError?: (error: unknown) => void
}

export interface BullmqBridge {
  /** Resolves once all that was in the queue before is in the log, by this bridge or by the one that leads; rejects where the bridge is closed before that. */
  readonly ready: Promise<void>
  /** The log, for the server, where the bridge is `lazy`: asking it for a job has that logged. */
  readonly log: EventLog
  /** Ends all connections of the bridge; the log stays open. */
  close(): Promise<void>
}

const RETRY_MS = 1000
/** How long closing waits for the log to hear that another bridge may lead. */
const RELEASE_MS = 1000
/** How many jobs are remembered to have been asked for. */
const REMEMBERED = 10_000

/**
 * Makes logs of a queue's jobs, as its workers go. Any number of bridges may be there for one queue and one log, with the same options: one of them works, and
 * where it is closed or gone another one does.
 */
export function bullmqBridge(options: BullmqBridgeOptions): BullmqBridge {
  const { queue, connection, prefix = 'bull', idOf = (id) => id, lazy: isLazy = false } = options
  const { rowsEveryMs = 1000, checkEveryMs = 60_000, lookBackMs = 3_600_000, onError = (error) => console.error('jobtail:', error) } = options
  const log = check(options)
  const filter = filterOf(options)
  const closing = new AbortController()
  const { signal } = closing
  const source = createSource({ queue, connection, prefix, signal, onError })
  const lead = createLead(log, `bullmq:${prefix}:${queue}`)
  const ledger = createLedger(log)
  const since = Date.now() - lookBackMs
  const ready = Promise.withResolvers<void>()
  ready.promise.catch(() => {}) // whoever waits for it has it
  const asked = new Set<string>()
  let session: Session | undefined

  async function onCaughtUp(open: readonly string[]): Promise<void> {
    await lead.tell(open)
    ready.resolve()
  }

  /** Works for as long as it leads. */
  async function work(open: readonly string[]): Promise<void> {
    const term = child(signal)
    const own = createSession({ source, ledger, idOf, filter, isLazy, since, rowsEveryMs, checkEveryMs, signal: term.signal, onError, onCaughtUp })
    session = own
    const lost = lead.keep(term.signal)
    lost.catch(() => {}) // the term is over
    let stop = (): void => {}
    try {
      if (isLazy) stop = await lead.onWanted(own.want)
      await Promise.race([own.run(open), lost])
    } finally {
      session = undefined
      term.abort()
      term.release()
      stop()
      if (signal.aborted) await withTimeout(lead.release(own.open()), RELEASE_MS, new AbortController().signal, () => new Error('late')).catch(() => {}) // the lease ends by itself
    }
  }

  async function follow(): Promise<void> {
    for (;;) {
      signal.throwIfAborted()
      try {
        await work(await lead.win(signal, ready.resolve))
      } catch (error) {
        if (signal.aborted || isLogError(error, 'closed')) throw error
        onError(error)
        await delay(RETRY_MS, signal)
      }
    }
  }

  /** Has a job logged that somebody asks for. */
  async function want(id: string): Promise<void> {
    if (!isLazy || asked.has(id) || signal.aborted) return
    asked.add(id)
    const [oldest] = asked
    if (asked.size > REMEMBERED && oldest !== undefined) asked.delete(oldest)
    const jobId = await source.job(id).then((job) => job && id)
    if (jobId === undefined) asked.delete(id)
    else if (session) session.want(jobId)
    else await lead.want(jobId)
  }

  const following = follow().catch((error) => {
    ready.reject(error)
    if (!signal.aborted) onError(error)
    closing.abort(error)
  })
  const ended = following.then(() => source.close())
  return {
    ready: ready.promise,
    log: wrapLog(log, {
      async watch(job, wake) {
        want(job).catch(onError)
        return log.watch(job, wake)
      },
      async snapshot(job) {
        await want(job).catch(onError)
        return log.snapshot(job)
      },
      async read(job, after, limit) {
        await want(job).catch(onError)
        return log.read(job, after, limit)
      }
    }),
    close() {
      closing.abort(new LogError('closed', `the bridge of the queue ${JSON.stringify(queue)} is closed`))
      return ended
    }
  }
}

/** A job that the filter fails on is left out, and that is told. */
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
  if (typeof connection !== 'object' || connection === null) throw new TypeError('connection: expected what BullMQ takes, such as { host, port }')
  const log = typeof jobs === 'object' && jobs !== null ? ('append' in jobs ? jobs : jobs.log) : undefined
  if (!log) throw new TypeError('jobs: expected what createJobServer made, or a log')
  if (filter !== undefined && typeof filter !== 'function') throw new TypeError(`filter: expected a function, got ${typeof filter}`)
  if (idOf !== undefined && typeof idOf !== 'function') throw new TypeError(`idOf: expected a function, got ${typeof idOf}`)
  if (lazy !== undefined && typeof lazy !== 'boolean') throw new TypeError(`lazy: expected true or false, got ${typeof lazy}`)
  if (lazy && idOf) throw new TypeError('lazy: expected without `idOf`, since a reader names the job by its own id')
  if (lazy && jobs !== log) throw new TypeError('lazy: expected a log as `jobs`; the server takes `bridge.log`')
  if (!(rowsEveryMs >= 1)) throw new RangeError(`rowsEveryMs: expected milliseconds from 1, got ${rowsEveryMs}`)
  if (!(checkEveryMs >= 1)) throw new RangeError(`checkEveryMs: expected milliseconds from 1, got ${checkEveryMs}`)
  if (!(lookBackMs >= 0)) throw new RangeError(`lookBackMs: expected milliseconds from 0, got ${lookBackMs}`)
  return log
}
