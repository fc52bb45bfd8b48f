import { type Admission, createExecute, type Work } from './execute.ts'
import { abortedByShutdown } from './job-aborted.ts'
import { LogError } from './log/types.ts'
import { settledWithin } from './long-timeout.ts'
import type { MetricsStore } from './metrics.ts'
import { createCallContext } from './platform.ts'
import { createRunSlots, type RunSlot, type SlotRequest } from './run-slots.ts'
import type { Settings } from './server-options.ts'

/** Runs jobs under leases, within the bounds of `maxRunning`, `maxRunningPerSubject` and `maxQueued`. */
export interface Runner {
  /** `close` was called: no job starts any more. */
  readonly closing: boolean
  /** Aborted by `close`. */
  readonly signal: AbortSignal
  /** Throws a `LogError`: `closed`, or `busy` where `maxQueued` jobs wait. */
  admit(request?: SlotRequest): Admission
  /** Without an `admission` it takes one: inside the work of another job, as that one's. */
  run<T>(jobId: string, work: Work<T>, admission?: Admission): Promise<T>
  /** Releases the slot and the lease of an admission that isn't run. Never rejects. */
  releaseLease(jobId: string, admission: Admission): Promise<void>
  /** Ends waiting jobs at once, lets running ones go on for `drainMs`, then aborts them. Resolves when all have ended. */
  close(drainMs: number): Promise<void>
  /** Resolves once every job has ended, or was aborted, after `close`. */
  readonly drained: Promise<void>
}

export function createRunner(settings: Settings, metrics: MetricsStore): Runner {
  const { log, onError } = settings
  const slots = createRunSlots(settings)
  /** The slot of the job whose work makes a call. */
  const slotOfWork = createCallContext<RunSlot>()
  const running = new Map<AbortController, { done: Promise<unknown>; isWaiting: boolean }>()
  /** Aborted when no job may start any more. */
  const closing = new AbortController()
  /** Aborted when an unavailable log isn't waited for any more. */
  const abandoning = new AbortController()
  /** The prefix of this server's owners. Each run has an owner of its own, so that a run that comes back late can't pass for the one that took over. */
  const node = crypto.randomUUID()
  let runCount = 0
  const execute = createExecute(settings, metrics, closing.signal, abandoning.signal)

  const drained = Promise.withResolvers<void>()

  const runner: Runner = {
    drained: drained.promise,
    signal: closing.signal,
    get closing() {
      return closing.signal.aborted
    },
    admit(request) {
      if (runner.closing) throw new LogError('closed', 'the server is closed')
      const slot = slots.acquire(request)
      if (!slot) throw new LogError('busy', `${settings.maxQueued} jobs wait to run already, the limit (maxQueued)`)
      runCount += 1
      return { slot, owner: `${node}.${runCount}` }
    },
    async run(id, work, admitted) {
      const admission = admitted ?? runner.admit({ parent: slotOfWork.get() })
      if (runner.closing) {
        void runner.releaseLease(id, admission)
        throw new LogError('closed', `the server is closed: job ${JSON.stringify(id)} was not run`)
      }
      const stop = new AbortController()
      const entry = { done: Promise.resolve() as Promise<unknown>, isWaiting: true } // as: it is replaced by the run's own promise below
      const done = execute(
        id,
        (job) => slotOfWork.run(admission.slot, () => work(job)),
        admission,
        stop,
        () => {
          entry.isWaiting = false
        }
      )
      entry.done = done
      running.set(stop, entry)
      try {
        return await done
      } finally {
        running.delete(stop)
      }
    },
    async releaseLease(id, { owner, slot }) {
      slot.release()
      try {
        await log.renew(id, owner, 0)
      } catch (error) {
        onError(error, { jobId: id }) // the lease then expires by itself
      }
    },
    async close(drainMs) {
      closing.abort()
      for (const [stop, { isWaiting }] of running) if (isWaiting) stop.abort(abortedByShutdown())
      const all = () => Promise.allSettled([...running.values()].map(({ done }) => done))
      if (drainMs > 0) await settledWithin(all(), drainMs)
      drained.resolve()
      for (const stop of running.keys()) stop.abort(abortedByShutdown())
      abandoning.abort()
      await all()
    }
  }
  return runner
}
