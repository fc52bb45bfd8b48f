import { isLogError } from '../log/types.ts'

interface Place {
  epoch: string
  seq: number
}

/** Named appends of this process that may be in the log or not: where to look for them when they are tried again. */
export interface Unsure {
  get(job: string, appendId: string): Place | undefined
  /** The append's outcome; where Redis was out of reach it is remembered what had been seen of the log before. */
  watch<T>(job: string, appendId: string | undefined, before: Place, append: Promise<T>): Promise<T>
}

const MAX_APPENDS = 10_000

export function createUnsure(): Unsure {
  const places = new Map<string, Place>()
  const keyOf = (job: string, appendId: string) => `${job}\n${appendId}`
  return {
    get: (job, appendId) => places.get(keyOf(job, appendId)),
    async watch(job, appendId, before, append) {
      if (appendId === undefined) return append
      const key = keyOf(job, appendId)
      try {
        const done = await append
        places.delete(key)
        return done
      } catch (error) {
        if (isLogError(error, 'unavailable')) places.set(key, before)
        const [oldest] = places.keys()
        if (places.size > MAX_APPENDS && oldest !== undefined) places.delete(oldest)
        throw error
      }
    }
  }
}
