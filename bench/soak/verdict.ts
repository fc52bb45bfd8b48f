/** Is memory flat? Jobtail's JavaScript heap by itself, its process beside that of the bare peer. */

export interface Sample {
  atMs: number
  /** The JavaScript heap after a garbage collection. */
  heapKb: number
  /** The process's resident memory after that. */
  processKb: number
}

/** In kB a minute. */
export interface Growth {
  heap: number
  process: number
}

/** What the heap may grow by, and what the process may grow by beyond the bare peer's. */
const MAX_KB_PER_MINUTE = 256

/** The slopes of the regression lines through the samples from `fromMs` on. */
export function growthOf(samples: readonly Sample[], fromMs: number): Growth {
  const after = samples.filter(({ atMs }) => atMs >= fromMs)
  return { heap: slope(after, ({ heapKb }) => heapKb), process: slope(after, ({ processKb }) => processKb) }
}

function slope(samples: readonly Sample[], of: (sample: Sample) => number): number {
  const mean = (of: (sample: Sample) => number): number => samples.reduce((sum, sample) => sum + of(sample), 0) / samples.length
  const minutes = ({ atMs }: Sample): number => atMs / 60_000
  const [x, y] = [mean(minutes), mean(of)]
  const above = samples.reduce((sum, sample) => sum + (minutes(sample) - x) * (of(sample) - y), 0)
  return above / samples.reduce((sum, sample) => sum + (minutes(sample) - x) ** 2, 0)
}

/** What is wrong; empty if memory is flat. */
export function memoryFaults(jobtail: Growth, bare: Growth): string[] {
  const faults: string[] = []
  // Not `>`: too few samples give NaN.
  if (!(jobtail.heap <= MAX_KB_PER_MINUTE)) faults.push(`the heap grows by ${jobtail.heap.toFixed(0)} kB a minute, expected at most ${MAX_KB_PER_MINUTE}`)
  const most = Math.max(0, bare.process) + MAX_KB_PER_MINUTE
  if (!(jobtail.process <= most))
    faults.push(
      `the process grows by ${jobtail.process.toFixed(0)} kB a minute, expected at most ${most.toFixed(0)}: the bare peer's growth and ${MAX_KB_PER_MINUTE}`
    )
  return faults
}
