import type { JobStatus } from './frames.ts'
import { isTerminal } from './rules.ts'

/** A job's status after an event of this type. `before`: its status before that, `queued` for a job without events. */
export function statusAfter(type: string, before: JobStatus): JobStatus {
  if (type === 'queued' || isTerminal(type)) return type
  return type === 'log' || type === 'cancelling' ? before : 'running'
}
