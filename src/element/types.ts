/** What the elements' events tell. */

import type { JobState } from '../index.ts'

/** The `detail` of `job-progress`, `job-done` and `job-failed`: the job's id, and its state at that moment. Frozen. */
export interface JobEventDetail extends JobState {
  /** The job's id; empty where the element has none. */
  readonly job: string
}
