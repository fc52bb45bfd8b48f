import type { Frame, Hello } from '../../protocol/frames.ts'
import { PROTOCOL } from '../../protocol/rules.ts'
import type { Budget } from '../job-cursor.ts'
import type { Settings } from '../server-options.ts'
import type { Subscriber } from '../subscriber.ts'

const MAX_EVENTS = 1000
const MAX_BYTES = 2 ** 16

export const helloFor = ({ heartbeatMs, maxJobsPerConnection }: Settings): Hello => ({
  control: 'hello',
  protocol: PROTOCOL,
  heartbeatMs,
  mux: maxJobsPerConnection
})

/** How much a stream reads between two writes. */
export const streamBudget = ({ maxBufferedBytes }: Settings): Budget => ({ events: MAX_EVENTS, bytes: Math.min(MAX_BYTES, maxBufferedBytes) })

/** The headers of every body that is written bit by bit: nobody in between may hold it back (RFC 10036; nginx). */
export const STREAM_HEADERS = { Incremental: '?1', 'X-Accel-Buffering': 'no' } as const

/** Ends a stream whose window is used up with `bye` (PROTOCOL.md §4). To be called after each write. */
export function endAtWindow(subscriber: Subscriber): void {
  if (subscriber.isWindowUsedUp() && !subscriber.isDone(false)) subscriber.bye('window', 0)
}

/** Remembers the last result of `encode`: one event wakes all readers of its job in a row, and they get the same frames. */
export function encodeOnce<T>(encode: (frames: readonly Frame[]) => T): (frames: readonly Frame[]) => T {
  let last: { frames: readonly Frame[]; encoded: T } | undefined
  return (frames) => {
    const isSame = last?.frames.length === frames.length && frames.every((frame, index) => frame === last?.frames[index])
    if (!last || !isSame) last = { frames, encoded: encode(frames) }
    return last.encoded
  }
}
