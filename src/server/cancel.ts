import type { JobSnapshot } from '../protocol/frames.ts'
import { isTerminal } from '../protocol/rules.ts'
import type { EventLog } from './log/types.ts'
import { isLogError } from './log/types.ts'
import { unknownJob } from './problem.ts'

/** Events that are read at once: of large ones more than that would be too much for one answer of Redis. */
const PAGE = 100

/** Appends `cancelling`, unless the job has ended or it is there already. Resolves with the snapshot after it. */
export async function cancelJob(jobId: string, log: EventLog): Promise<JobSnapshot> {
  let after: string | undefined
  for (;;) {
    const snapshot = await log.snapshot(jobId)
    if (!snapshot) throw unknownJob()
    if (isTerminal(snapshot.status)) return snapshot
    const page = await log.read(jobId, after, PAGE)
    if (!page) throw unknownJob()
    if (page.events.some(({ type }) => type === 'cancelling')) return snapshot
    after = page.events.at(-1)?.id ?? page.cursor
    if (page.more) continue
    try {
      await log.append(jobId, 'cancelling', {}, { expectSeq: page.seq + page.events.length })
      return (await log.snapshot(jobId)) ?? snapshot
    } catch (error) {
      // Something was appended since: perhaps the end, or another one's `cancelling`.
      if (!isLogError(error, 'conflict') && !isLogError(error, 'ended')) throw error
    }
  }
}
