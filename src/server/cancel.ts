import type { JobSnapshot } from '../protocol/frames.ts'
import { isTerminal } from '../protocol/rules.ts'
import type { EventLog } from './log/types.ts'
import { isLogError } from './log/types.ts'
import { unknownJob } from './problem.ts'

/** Appends `cancelling`, unless the job has ended or it is there already. Resolves with the snapshot after it. `reason`: told to whoever reads it. */
export async function cancelJob(jobId: string, log: EventLog, { reason }: { reason?: string | undefined } = {}): Promise<JobSnapshot> {
  const snapshot = await log.snapshot(jobId)
  if (!snapshot) throw unknownJob()
  if (isTerminal(snapshot.status) || snapshot.cancelling !== undefined) return snapshot
  try {
    // By its name: of several at once, one is there.
    await log.append(jobId, 'cancelling', reason === undefined ? {} : { reason }, { appendId: 'cancel' })
  } catch (error) {
    // The job has ended meanwhile.
    if (!isLogError(error, 'ended')) throw error
  }
  return (await log.snapshot(jobId)) ?? snapshot
}
