import { delay, orAborted } from '../async/signals.ts'
import { guardListeners } from './guarded-signal.ts'
import { holdJob, RETRY_MS } from './hold.ts'
import { failureOf } from './job-error.ts'
import { isLogError, LogError } from './log/types.ts'
import { longTimeout } from './long-timeout.ts'
import type { MetricsStore } from './metrics.ts'
import { createOutbox, type Outbox } from './outbox.ts'
import { createSlots, type Slot } from './slots.ts'
import { cancelledBy, lost, Stopped, shutDown } from './stopped.ts'
import { takeJob } from './take-job.ts'
import type { JobContext, Settings } from './types.ts'
import { contextOf, untilAbandoned } from './working.ts'

type Work<T> = (job: JobContext) => T | Promise<T>

/** A run that has its place, and a name of its own by which it has its job's lease. */
export interface Admission {
  readonly owner: string
  readonly slot: Slot
  /** The job is queued and its lease taken. */
  isTaken?: boolean
  /** Default 1: nobody has run it before. */
  attempt?: number
}

export interface Runner {
  /** It runs nothing any more. */
  readonly closing: boolean
  /** Aborted then. */
  readonly signal: AbortSignal
  /** Throws a `LogError`: `closed`, or `busy` where too many wait. */
  admit(subject?: string): Admission
  run<T>(jobId: string, work: Work<T>, admission?: Admission): Promise<T>
  /** Gives back a lease that was taken for an admission which is not run. */
  giveUp(jobId: string, admission: Admission): Promise<void>
  /** What waits ends at once, what runs may go on for `drainMs`, and is aborted then; resolves when all of it has ended. */
  close(drainMs: number): Promise<void>
  /** Resolves once what runs is aborted, or has ended, after `close`. */
  readonly drained: Promise<void>
}

export function createRunner(settings: Settings, metrics: MetricsStore): Runner {
  const { log, onError, leaseMs } = settings
  const slots = createSlots(settings)
  const running = new Map<AbortController, { done: Promise<unknown>; isWaiting: boolean }>()
  /** Nothing is begun any more. */
  const closing = new AbortController()
  /** A log that is out of reach is not waited for any more. */
  const givingUp = new AbortController()
  /** Each run has another owner: one that comes back late is told from the one that took over. */
  const node = crypto.randomUUID()
  let count = 0

  async function execute<T>(
    id: string,
    work: Work<T>,
    { owner, slot, isTaken, attempt = 1 }: Admission,
    stop: AbortController,
    onBegin: () => void
  ): Promise<T> {
    const lease = { owner, ms: leaseMs }
    const tell = (error: unknown) => onError(error, { jobId: id })
    const tally = metrics.job()
    const queued = slot.position === undefined ? {} : { position: slot.position }
    try {
      if (!isTaken) await patiently(() => takeJob({ log, jobId: id, lease, queued }), stop.signal)
    } catch (error) {
      tally.end(undefined)
      slot.leave()
      if (!isOver(error) && !isLogError(error, 'unavailable')) tell(error)
      throw error
    }
    const outbox = createOutbox({ ...settings, jobId: id, lease, signal: stop.signal, closing: givingUp.signal, onError: tell })
    const hold = holdJob({
      ...{ log, jobId: id, owner, leaseMs, checkMs: settings.heartbeatMs, onError: tell },
      onCancel: (data) => stop.abort(cancelledBy(id, data)),
      onLost: () => stop.abort(lost(id))
    })
    let working: Promise<T> | undefined
    try {
      await orAborted(slot.ready, stop.signal)
      onBegin()
      tally.begin()
      await outbox.add('started', attempt > 1 ? { attempt } : {})
      stop.signal.throwIfAborted()
      working = (async () => work(contextOf(id, attempt, guardListeners(stop.signal, tell), outbox)))()
      const result = await untilAbandoned(working, stop, settings.timeoutMs, tell)
      const { reason } = stop.signal
      if (reason instanceof Stopped && reason.why !== 'shutdown') throw reason
      hold.end()
      await outbox.end('succeeded', result)
      tally.end('succeeded')
      return result
    } catch (error) {
      hold.end()
      const { reason } = stop.signal
      const stopped = reason instanceof Stopped ? reason : undefined
      tally.end(stopped?.why ?? 'failed')
      await fail(id, error, stopped, outbox)
      throw stopped ?? error
    } finally {
      hold.release()
      // Whoever works on in spite of its end still takes a place.
      if (working) void working.catch(() => {}).finally(slot.leave)
      else slot.leave()
    }
  }

  /** Ends the job's log, as it has failed or was stopped. */
  async function fail(id: string, error: unknown, stopped: Stopped | undefined, outbox: Outbox): Promise<void> {
    const tell = (about: unknown) => onError(about, { jobId: id })
    const isAbort = stopped !== undefined && error instanceof Error && error.name === 'AbortError'
    if (!isAbort && !isOver(error)) tell(error)
    const ending = stopped ? stopped.ending : { type: 'failed', data: failureOf(error, settings.exposeErrors) }
    if (!ending) return
    try {
      await outbox.end(ending.type, ending.data)
    } catch (refused) {
      if (refused !== error && !isOver(refused)) tell(refused)
    }
  }

  /** While the log is out of reach it is tried again, until the server gives up, or the signal. */
  async function patiently(attempt: () => Promise<void>, signal: AbortSignal): Promise<void> {
    for (;;) {
      try {
        return await attempt()
      } catch (error) {
        if (!isLogError(error, 'unavailable') || closing.signal.aborted) throw error
        onError(error)
        await delay(RETRY_MS, signal).catch(() => {}) // closing: once more, then that's that
      }
    }
  }

  const drained = Promise.withResolvers<void>()

  const runner: Runner = {
    drained: drained.promise,
    signal: closing.signal,
    get closing() {
      return closing.signal.aborted
    },
    admit(subject) {
      if (runner.closing) throw new LogError('closed', 'the server is closed')
      const slot = slots.enter(subject)
      if (!slot) throw new LogError('busy', `${settings.maxQueued} jobs wait already`)
      count += 1
      return { slot, owner: `${node}.${count}` }
    },
    async run(id, work, admitted) {
      const admission = admitted ?? runner.admit()
      if (runner.closing) {
        void runner.giveUp(id, admission)
        throw new LogError('closed', `the server is closed: job ${JSON.stringify(id)} was not run`)
      }
      const stop = new AbortController()
      const own = { done: Promise.resolve() as Promise<unknown>, isWaiting: true } // as: whatever it will be
      const done = execute(id, work, admission, stop, () => {
        own.isWaiting = false
      })
      own.done = done
      running.set(stop, own)
      try {
        return await done
      } finally {
        running.delete(stop)
      }
    },
    async giveUp(id, { owner, slot }) {
      slot.leave()
      try {
        await log.renew(id, owner, 0)
      } catch (error) {
        onError(error, { jobId: id }) // then its lease ends it
      }
    },
    async close(drainMs) {
      closing.abort()
      for (const [stop, { isWaiting }] of running) if (isWaiting) stop.abort(shutDown())
      const all = () => Promise.allSettled([...running.values()].map(({ done }) => done))
      if (drainMs > 0) await untilLate(all(), drainMs)
      drained.resolve()
      for (const stop of running.keys()) stop.abort(shutDown())
      givingUp.abort()
      await all()
    }
  }
  return runner
}

/** The job was ended by others, or by itself; or it is another one's. */
const isOver = (error: unknown): boolean => isLogError(error, 'ended') || isLogError(error, 'conflict')

async function untilLate(done: Promise<unknown>, ms: number): Promise<void> {
  const late = Promise.withResolvers<void>()
  const cancel = longTimeout(ms, late.resolve)
  await Promise.race([done, late.promise])
  cancel()
}
