import { isLogError } from '../log/types.ts'

interface LogPosition {
  epoch: string
  seq: number
}

/**
 * Remembers appends of this process whose outcome is unknown, because Redis gave no answer: by `appendId`, with the log's end before the append. A repetition
 * searches the log from there.
 */
export interface UncertainAppends {
  get(job: string, appendId: string): LogPosition | undefined
  /** Passes on the append's outcome. Where it rejects with `unavailable`, remembers `before`; once it succeeds, forgets it. */
  track<T>(job: string, appendId: string | undefined, before: LogPosition, append: Promise<T>): Promise<T>
}

const MAX_APPENDS = 10_000

export function createUncertainAppends(): UncertainAppends {
  const positions = new Map<string, LogPosition>()
  const keyOf = (job: string, appendId: string) => `${job}\n${appendId}`
  return {
    get: (job, appendId) => positions.get(keyOf(job, appendId)),
    async track(job, appendId, before, append) {
      if (appendId === undefined) return append
      const key = keyOf(job, appendId)
      try {
        const done = await append
        positions.delete(key)
        return done
      } catch (error) {
        if (isLogError(error, 'unavailable')) positions.set(key, before)
        const [oldest] = positions.keys()
        if (positions.size > MAX_APPENDS && oldest !== undefined) positions.delete(oldest)
        throw error
      }
    }
  }
}
