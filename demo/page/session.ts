/** What a reload of the page needs in order to go on: the jobs that are still followed, and what was had of them. */

import type { JobEvent } from 'jobtail'

export interface KeptJob {
  jobId: string
  kind: string
  events: readonly JobEvent[]
}

const KEY = 'jobtail-demo'

/** A full or blocked storage only costs the resume. */
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
