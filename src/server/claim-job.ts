import { type EventLog, isLogError, LogError } from './log/types.ts'

interface JobClaim {
  log: EventLog
  jobId: string
  lease: { owner: string; ms: number }
  /** The data of `queued`. */
  queued: object
}

/**
 * Takes the job's lease, and appends `queued` where the job doesn't exist yet.
 *
 * @throws {LogError} `conflict` where the job has started already, or another owner holds its lease.
 */
export async function claimJob({ log, jobId, lease, queued }: JobClaim): Promise<void> {
  for (;;) {
    const snapshot = await log.snapshot(jobId)
    if (snapshot && snapshot.status !== 'queued')
      throw new LogError('conflict', `job ${JSON.stringify(jobId)}: expected a new or queued job to run, it is ${snapshot.status} already`)
    if (snapshot) {
      if (await log.renew(jobId, lease.owner, lease.ms)) return
      throw new LogError('conflict', `job ${JSON.stringify(jobId)} is queued, and another owner holds its lease to run it`)
    }
    try {
      await log.append(jobId, 'queued', queued, { expectSeq: 0, appendId: `${lease.owner}/queued`, lease })
      return
    } catch (error) {
      // Another process has created the job since the snapshot was read: decide anew.
      if (!isLogError(error, 'conflict')) throw error
    }
  }
}
