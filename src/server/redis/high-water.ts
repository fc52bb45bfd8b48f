/** How far this process has seen each log. A log that ends before that has lost its tail, even where Redis' `run_id` is the same. */
export interface HighWater {
  get(job: string): { epoch: string; seq: number } | undefined
  set(job: string, epoch: string, seq: number): void
}

const MAX_JOBS = 10_000

/** Remembers the 10,000 jobs that were used last. */
export function createHighWater(): HighWater {
  const jobs = new Map<string, { epoch: string; seq: number }>()
  return {
    get: (job) => jobs.get(job),
    set(job, epoch, seq) {
      const before = jobs.get(job)
      jobs.delete(job)
      jobs.set(job, { epoch, seq: before?.epoch === epoch ? Math.max(before.seq, seq) : seq })
      const [oldest] = jobs.keys()
      if (jobs.size > MAX_JOBS && oldest !== undefined) jobs.delete(oldest)
    }
  }
}
