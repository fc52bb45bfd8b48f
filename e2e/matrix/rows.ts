/** The faults of the matrix, and the jobs that run through them. */

import type { Faults, Path } from '../../demo/proxy/faults.ts'

export interface Pace {
  events: number
  intervalMs: number
  /** After each so many events comes a pause. */
  pause?: { each: number; ms: number }
}

/** One fault. It comes in the middle of a job, to one way of reading and all better ones. */
export interface Row {
  name: string
  faults: Partial<Faults>
  /** It comes when the page has had so many of the job's events. */
  afterEvents: number
  pace: Pace
  /** It spares no way of reading. So that each has to stand it, the job is followed without the better ones. */
  isEverywhere?: boolean
  /** While it lasts nothing can pass: lifted after so long, where it hits every way of reading. */
  liftAfterMs?: number
  /** Where it hits every way of reading, nobody listens at the port: as 403 from every path it would be the server's word, and final. */
  isDownEverywhere?: boolean
}

const steady: Pace = { events: 260, intervalMs: 50 }
const middle = { afterEvents: 60, pace: steady }

export const rows: readonly Row[] = [
  { name: 'never answered', faults: { webSocket: 'unanswered', http: 'unanswered' }, ...middle, liftAfterMs: 6000 },
  { name: 'refused', faults: { webSocket: 'refuse', http: 'refuse' }, ...middle, liftAfterMs: 6000, isDownEverywhere: true },
  { name: 'reset at once', faults: { webSocket: 'reset', http: 'reset' }, ...middle, liftAfterMs: 6000 },
  { name: 'open and killed', faults: { webSocket: 'kill', http: 'kill' }, ...middle, liftAfterMs: 6000 },
  { name: 'muted', faults: { webSocket: 'mute', http: 'mute' }, ...middle, liftAfterMs: 6000 },
  { name: 'dead after 5 s without a close', faults: { deadAfterMs: 5000 }, ...middle, afterEvents: 110 },
  // A WebSocket that is buffered until its end is one that is mute.
  { name: 'buffered until the end', faults: { webSocket: 'mute', bufferStreams: true }, ...middle },
  { name: 'body cut at 2 s', faults: { cutAfterMs: 2000 }, ...middle },
  { name: 'idle cut at 3 s', faults: { idleLimitMs: 3000 }, afterEvents: 60, pace: { events: 240, intervalMs: 25, pause: { each: 60, ms: 4000 } } },
  { name: 'all bytes stalled for 10 s', faults: { stalled: true }, ...middle, pace: { events: 380, intervalMs: 50 }, isEverywhere: true, liftAfterMs: 10_000 },
  { name: 'random resets', faults: { resetAfterMs: 1500 }, ...middle },
  // Its handshakes are requests like others to such a gateway.
  { name: '504 after 1 s', faults: { webSocket: 'unanswered', requestLimitMs: 1000 }, ...middle }
]

/** When the job's events are due, in ms from its start. */
export function schedule({ events, intervalMs, pause }: Pace): number[] {
  return Array.from({ length: events }, (_, index) => (index + 1) * intervalMs + (pause ? Math.floor(index / pause.each) * pause.ms : 0))
}

/** The fault as it comes to this way of reading, and those that are better. */
export const faultsUpTo = ({ faults, isEverywhere }: Row, upTo: Path): Partial<Faults> => ({ ...faults, upTo: isEverywhere ? 'short-poll' : upTo })
