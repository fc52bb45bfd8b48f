import { delay } from '../async/signals.ts'
import type { WireEvent } from '../protocol/frames.ts'
import { RETRY_MS } from './lease-keeper.ts'
import { type EventLog, isLogError } from './log/types.ts'
import { wrapLog } from './log/wrap.ts'
import type { Runner } from './run.ts'
import type { Settings } from './server-options.ts'
import { parseInput } from './start.ts'

export interface Orphans {
  /** The log, with its reads and wake-ups observed. */
  log: EventLog
  /** From now on orphaned jobs are run. */
  start(settings: Settings, runner: Runner): void
}

/**
 * Runs orphaned jobs: jobs that were queued again because their lease has expired. Finds them in whatever the server reads and watches anyway. Several
 * servers may find the same job; `EventLog.adopt` gives its lease to one of them.
 */
export function watchOrphans(inner: EventLog): Orphans {
  /** The jobs that are being adopted. `true`: the job was found again meanwhile, and is tried once more. */
  const adopting = new Map<string, boolean>()
  let adopt = async (_jobId: string): Promise<void> => {}

  async function tryAdopt(jobId: string): Promise<void> {
    const isAsked = adopting.has(jobId)
    adopting.set(jobId, isAsked)
    if (isAsked) return
    await adopt(jobId)
    const hasNews = adopting.get(jobId)
    adopting.delete(jobId)
    if (hasNews) await tryAdopt(jobId)
  }

  const log = wrapLog(inner, {
    async read(jobId, ...where) {
      const page = await inner.read(jobId, ...where)
      if (page?.events.some(isQueuedAgain) || page?.events.at(-1)?.type === 'queued') void tryAdopt(jobId)
      return page
    },
    async snapshot(jobId) {
      const found = await inner.snapshot(jobId)
      if (found?.status === 'queued') void tryAdopt(jobId)
      return found
    },
    watch: (jobId, wake) =>
      inner.watch(jobId, (what) => {
        if (what === 'queued') void tryAdopt(jobId)
        wake(what)
      })
  })

  return {
    log,
    start(settings, runner) {
      adopt = async (jobId) => {
        while (!runner.closing && !(await adoptAndRun(jobId, settings, runner))) await delay(RETRY_MS, runner.signal).catch(() => {}) // aborted: the loop ends
      }
    }
  }
}

const isQueuedAgain = ({ type, seq }: WireEvent): boolean => type === 'queued' && seq > 1

/** Adopts and runs a job. Resolves with `false` where it should be tried again later. */
async function adoptAndRun(jobId: string, { log, start, leaseMs, onError }: Settings, runner: Runner): Promise<boolean> {
  let admission: ReturnType<Runner['admit']>
  try {
    admission = runner.admit()
  } catch (error) {
    return !isLogError(error, 'busy')
  }
  try {
    const found = await log.adopt?.(jobId, admission.owner, leaseMs)
    if (!found) {
      admission.slot.release()
      return true
    }
    const { input, attempt } = found
    // A rejection needs no handling: the log says how the job has ended, and `onError` has got the error.
    runner.run(jobId, (job) => start?.(job, parseInput(input)), { ...admission, isClaimed: true, attempt }).catch(() => {})
    return true
  } catch (error) {
    if (isLogError(error, 'closed')) return true
    onError(error, { jobId })
    await runner.releaseLease(jobId, admission) // the log's answer may have been lost: this server may hold the lease
    return false
  }
}
