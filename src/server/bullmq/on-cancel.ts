import type { EventLog } from '../log/types.ts'
import type { JobServer } from '../types.ts'

/**
 * Calls `cancel` once, as soon as the job has a `cancelling` event, also one from before the call. `cancel` gets the event's data, such as `{ reason }`.
 *
 * For workers, in any process that shares the log: `worker.cancelJob(job.id)` of BullMQ aborts the signal of its processor. Resolves with a function that
 * stops, once the job is watched. Rejects with the log's error where the job can't be watched.
 *
 * ```ts
 * const stop = await onCancel(log, job.id, () => worker.cancelJob(job.id))
 * ```
 */
export async function onCancel(jobs: JobServer | EventLog, jobId: string, cancel: (data: unknown) => void): Promise<() => void> {
  const log = 'append' in jobs ? jobs : jobs.log
  let isOver = false
  async function look(): Promise<void> {
    const cancelling = (await log.snapshot(jobId))?.cancelling
    if (isOver || cancelling === undefined) return
    isOver = true
    cancel(cancelling)
  }
  const listen = await log.watch(jobId, (what) => {
    if (what === undefined || what === 'cancelling') look().catch(() => {}) // while the log is unavailable; it wakes again once it is back
  })
  const stop = () => {
    isOver = true
    listen()
  }
  try {
    await look()
  } catch (error) {
    stop()
    throw error
  }
  return stop
}
