import { delay, orAborted } from '../async/signals.ts'
import { claimJob } from './claim-job.ts'
import { guardListeners } from './guarded-signal.ts'
import { abortedByCancel, abortedByLoss, JobAborted } from './job-aborted.ts'
import { failureOf } from './job-error.ts'
import { createJobContext, workOutcome } from './job-work.ts'
import { keepLease, RETRY_MS } from './lease-keeper.ts'
import { isLogError } from './log/types.ts'
import type { MetricsStore } from './metrics.ts'
import { createOutbox, type Outbox } from './outbox.ts'
import type { RunSlot } from './run-slots.ts'
import type { Settings } from './server-options.ts'
import type { JobContext } from './types.ts'

/** The right to run one job: a slot, and the owner's name for the job's lease. */
export interface Admission {
  readonly owner: string
  readonly slot: RunSlot
  /** The job is queued already, and `owner` holds its lease. */
  isClaimed?: boolean
  /** Which run this is. Default 1: the first. */
  attempt?: number
}

export type Work<T> = (job: JobContext) => T | Promise<T>

/**
 * Runs one admitted job from `queued` to its terminal event, and settles as its work does. `onStarted` is called once the job has its slot; `abort` is the
 * controller of the job's signal.
 */
export type Execute = <T>(id: string, work: Work<T>, admission: Admission, abort: AbortController, onStarted: () => void) => Promise<T>

/** `closing` is aborted when no job may start any more, `abandoning` when an unavailable log isn't waited for any more. */
export function createExecute(settings: Settings, metrics: MetricsStore, closing: AbortSignal, abandoning: AbortSignal): Execute {
  const { log, onError, leaseMs } = settings

  async function execute<T>(
    id: string,
    work: Work<T>,
    { owner, slot, isClaimed, attempt = 1 }: Admission,
    abort: AbortController,
    onStarted: () => void
  ): Promise<T> {
    const lease = { owner, ms: leaseMs }
    const report = (error: unknown) => onError(error, { jobId: id })
    const meter = metrics.startJob()
    const queued = slot.position === undefined ? {} : { position: slot.position }
    try {
      if (!isClaimed) await retryWhileUnavailable(() => claimJob({ log, jobId: id, lease, queued }), abort.signal)
    } catch (error) {
      meter.end(undefined)
      slot.release()
      if (!isRefusedForGood(error) && !isLogError(error, 'unavailable')) report(error)
      throw error
    }
    const outbox = createOutbox({ ...settings, jobId: id, lease, signal: abort.signal, closing: abandoning, onError: report })
    const keeper = keepLease({
      ...{ log, jobId: id, owner, leaseMs, recheckMs: settings.heartbeatMs, onError: report },
      onCancel: (data) => abort.abort(abortedByCancel(id, data)),
      onLost: () => abort.abort(abortedByLoss(id))
    })
    let working: Promise<T> | undefined
    try {
      slot.onMove((position) => void outbox.add('queued', { position }))
      await orAborted(slot.ready, abort.signal)
      onStarted()
      meter.begin()
      await outbox.add('started', attempt > 1 ? { attempt } : {})
      abort.signal.throwIfAborted()
      working = (async () => work(createJobContext(id, attempt, guardListeners(abort.signal, report), outbox)))()
      const result = await workOutcome(working, abort, settings.timeoutMs, report)
      const { reason } = abort.signal
      if (reason instanceof JobAborted && reason.kind !== 'shutdown') throw reason
      keeper.ignoreChanges()
      await outbox.end('succeeded', result)
      meter.end('succeeded')
      return result
    } catch (error) {
      keeper.ignoreChanges()
      const { reason } = abort.signal
      const aborted = reason instanceof JobAborted ? reason : undefined
      meter.end(aborted?.kind ?? 'failed')
      await fail(id, error, aborted, outbox)
      throw aborted ?? error
    } finally {
      keeper.release()
      // Work that goes on after its job has ended keeps its slot: it still uses the machine.
      if (working) void working.catch(() => {}).finally(slot.release)
      else slot.release()
    }
  }

  /** Appends the terminal event of a job that has failed or was aborted, and reports the error. */
  async function fail(id: string, error: unknown, aborted: JobAborted | undefined, outbox: Outbox): Promise<void> {
    const report = (about: unknown) => onError(about, { jobId: id })
    const isAbort = aborted !== undefined && error instanceof Error && error.name === 'AbortError'
    if (!isAbort && !isRefusedForGood(error)) report(error)
    const ending = aborted ? aborted.terminalEvent : { type: 'failed', data: failureOf(error, settings.exposeErrors) }
    if (!ending) return
    try {
      await outbox.end(ending.type, ending.data)
    } catch (refused) {
      if (refused !== error && !isRefusedForGood(refused)) report(refused)
    }
  }

  /** Repeats an attempt while the log is unavailable, until the server closes. Once the signal is aborted, it tries one more time. */
  async function retryWhileUnavailable(attempt: () => Promise<void>, signal: AbortSignal): Promise<void> {
    for (;;) {
      try {
        return await attempt()
      } catch (error) {
        if (!isLogError(error, 'unavailable') || closing.aborted) throw error
        onError(error)
        await delay(RETRY_MS, signal).catch(() => {}) // aborted: the last attempt follows at once
      }
    }
  }

  return execute
}

/** The log refused because the job has ended, or because another owner holds its lease: nothing is left to be done for it. */
const isRefusedForGood = (error: unknown): boolean => isLogError(error, 'ended') || isLogError(error, 'conflict')
