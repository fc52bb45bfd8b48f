import type { EventLog } from '../log/types.ts'
import type { JobServer } from '../types.ts'

/**
 * Calls `cancel` once somebody has asked for the job to be cancelled, also where that was before; with the data of `cancelling`, such as `{ reason }`.
 * For a worker, wherever it runs: `worker.cancelJob(job.id)` aborts its processor's signal. Resolves with how to stop, once it listens.
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
    if (what === undefined || what === 'cancelling') look().catch(() => {}) // out of reach: it wakes again once it is listened to again
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
