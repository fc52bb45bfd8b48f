import type { WireEvent } from '../../../src/protocol/frames.ts'
import { memoryLog } from '../../../src/server/log/memory.ts'
import type { EventLog } from '../../../src/server/log/types.ts'

const EVENT_BYTES = 100_000

export const LARGE_EVENTS = 1000
export const LARGE_BYTES: number = EVENT_BYTES * LARGE_EVENTS

/** A log in which every job named `large-…` has ended with 100 MB of events. They are made when they are read, so that the log itself holds no memory. */
export function largeLog(): EventLog {
  const small = memoryLog()
  const data = 'x'.repeat(EVENT_BYTES)
  const isLarge = (job: string): boolean => job.startsWith('large-')
  const idOf = (seq: number): string => `e-${seq}`
  const place = (after: string | undefined): number => Number(after?.slice(2) ?? 0)

  function event(job: string, seq: number): WireEvent {
    return { id: idOf(seq), seq, job, type: seq === LARGE_EVENTS ? 'succeeded' : 'output', time: '2026-01-01T00:00:00.000Z', data }
  }

  return {
    ...small,
    async read(job, after, limit) {
      if (!isLarge(job)) return small.read(job, after, limit)
      const seq = place(after)
      const count = Math.min(limit, LARGE_EVENTS - seq)
      const events = Array.from({ length: count }, (_, index) => event(job, seq + index + 1))
      return { events, epoch: 'e', seq, cursor: idOf(seq), done: seq + count === LARGE_EVENTS, more: seq + count < LARGE_EVENTS }
    },
    async snapshot(job) {
      if (!isLarge(job)) return small.snapshot(job)
      return { id: job, status: 'succeeded', epoch: 'e', seq: LARGE_EVENTS, cursor: idOf(LARGE_EVENTS) }
    },
    watch: async (job, wake) => (isLarge(job) ? () => {} : small.watch(job, wake))
  }
}
