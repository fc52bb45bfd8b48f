/** Keeps what a reload of the page needs to go on: the jobs that are still followed, and their events so far. */

import type { JobEvent } from 'jobtail'

export interface KeptJob {
  jobId: string
  kind: string
  /** True for the job that the bare connections follow as well. */
  isOnStage: boolean
  events: readonly JobEvent[]
}

const KEY = 'jobtail-demo'

/** Never throws. If storage is full or blocked, a reload starts from scratch. */
export function keepJobs(jobs: readonly KeptJob[]): void {
  try {
    sessionStorage.setItem(KEY, JSON.stringify(jobs))
  } catch (error) {
    console.warn('the jobs will not survive a reload:', error)
  }
}

export function keptJobs(): KeptJob[] {
  try {
    const kept: unknown = JSON.parse(sessionStorage.getItem(KEY) ?? '[]')
    return Array.isArray(kept) ? kept : []
  } catch {
    return [] // blocked storage, or not ours
  }
}
