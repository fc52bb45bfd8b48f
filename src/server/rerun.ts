import { delay } from '../async/signals.ts'
import type { WireEvent } from '../protocol/frames.ts'
import { RETRY_MS } from './hold.ts'
import { type EventLog, isLogError } from './log/types.ts'
import { wrapLog } from './log/wrap.ts'
import type { Runner } from './run.ts'
import { parse } from './start.ts'
import type { Settings } from './types.ts'

export interface Orphans {
  /** The log, looked at while others use it. */
  log: EventLog
  /** From now on jobs that have lost their runner are run. */
  begin(settings: Settings, runner: Runner): void
}

/** Runs again what is queued without a runner: hears of it wherever the server reads a job, looks at it, or listens to it. The lease says who of several runs it. */
export function watchOrphans(inner: EventLog): Orphans {
  /** Those that are asked for now, and whether there was news of them meanwhile. */
  const asked = new Map<string, boolean>()
  let adopt = async (_jobId: string): Promise<void> => {}

  async function hear(jobId: string): Promise<void> {
    const isAsked = asked.has(jobId)
    asked.set(jobId, isAsked)
    if (isAsked) return
    await adopt(jobId)
    const hasNews = asked.get(jobId)
    asked.delete(jobId)
    if (hasNews) await hear(jobId)
  }

  const log = wrapLog(inner, {
    async read(jobId, ...where) {
      const page = await inner.read(jobId, ...where)
      if (page?.events.some(isQueuedAgain) || page?.events.at(-1)?.type === 'queued') void hear(jobId)
      return page
    },
    async snapshot(jobId) {
      const found = await inner.snapshot(jobId)
      if (found?.status === 'queued') void hear(jobId)
      return found
    },
    watch: (jobId, wake) =>
      inner.watch(jobId, (what) => {
        if (what === 'queued') void hear(jobId)
        wake(what)
      })
  })

  return {
    log,
    begin(settings, runner) {
      adopt = async (jobId) => {
        while (!runner.closing && !(await tryToRun(jobId, settings, runner))) await delay(RETRY_MS, runner.signal).catch(() => {}) // closing: the loop ends
      }
    }
  }
}

const isQueuedAgain = ({ type, seq }: WireEvent): boolean => type === 'queued' && seq > 1

/** False: later, perhaps. */
async function tryToRun(jobId: string, { log, start, leaseMs, onError }: Settings, runner: Runner): Promise<boolean> {
  let admission: ReturnType<Runner['admit']>
  try {
    admission = runner.admit()
  } catch (error) {
    return !isLogError(error, 'busy')
  }
  try {
    const found = await log.adopt?.(jobId, admission.owner, leaseMs)
    if (!found) {
      admission.slot.leave()
      return true
    }
    const { input, attempt } = found
    // How the job ends stands in its log, and `onError` is told why.
    runner.run(jobId, (job) => start?.(job, parse(input)), { ...admission, isTaken: true, attempt }).catch(() => {})
    return true
  } catch (error) {
    if (isLogError(error, 'closed')) return true
    onError(error, { jobId })
    await runner.giveUp(jobId, admission) // it may be ours without our knowing
    return false
  }
}
