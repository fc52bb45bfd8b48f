import { type EventLog, isLogError, LogError } from './log/types.ts'

interface Taking {
  log: EventLog
  jobId: string
  lease: { owner: string; ms: number }
  /** Data of `queued`. */
  queued: object
}

/** Appends `queued`, where nobody has yet, and takes the job's lease. Rejects with `conflict` where the job is past that, or another one's. */
export async function takeJob({ log, jobId, lease, queued }: Taking): Promise<void> {
  for (;;) {
    const snapshot = await log.snapshot(jobId)
    if (snapshot && snapshot.status !== 'queued') throw new LogError('conflict', `job ${JSON.stringify(jobId)} is ${snapshot.status} already`)
    if (snapshot) {
      if (await log.renew(jobId, lease.owner, lease.ms)) return
      throw new LogError('conflict', `job ${JSON.stringify(jobId)} is queued already: another one is about to run it`)
    }
    try {
      await log.append(jobId, 'queued', queued, { expectSeq: 0, appendId: `${lease.owner}/queued`, lease })
      return
    } catch (error) {
      // Another one has appended meanwhile: look again.
      if (!isLogError(error, 'conflict')) throw error
    }
  }
}
