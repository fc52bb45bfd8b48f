/** The faults of the matrix, and the jobs that run through them. */

import type { Faults, Path } from '../../demo/proxy/faults.ts'

export interface Pace {
  events: number
  intervalMs: number
  /** A pause follows each group of this many events. */
  pause?: { each: number; ms: number }
}

/** One fault, which acts in the middle of a job on one path and all better ones. */
export interface Row {
  name: string
  faults: Partial<Faults>
  /** The fault starts when the page has received this many events. */
  afterEvents: number
  pace: Pace
  /** The fault acts on all paths. To test each of them, the job is followed without the better ones. */
  isEverywhere?: boolean
  /** Nothing passes during the fault. If it acts on all paths, it is lifted after this long. */
  liftAfterMs?: number
  /** If the fault acts on all paths, the port is closed instead: a 403 from every path would be a final answer of the server. */
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
  // A WebSocket that is buffered until its end delivers nothing.
  { name: 'buffered until the end', faults: { webSocket: 'mute', bufferStreams: true }, ...middle },
  { name: 'body cut at 2 s', faults: { cutAfterMs: 2000 }, ...middle },
  { name: 'idle cut at 3 s', faults: { idleLimitMs: 3000 }, afterEvents: 60, pace: { events: 240, intervalMs: 25, pause: { each: 60, ms: 4000 } } },
  { name: 'all bytes stalled for 10 s', faults: { stalled: true }, ...middle, pace: { events: 380, intervalMs: 50 }, isEverywhere: true, liftAfterMs: 10_000 },
  { name: 'random resets', faults: { resetAfterMs: 1500 }, ...middle },
  // To such a gateway, handshakes are requests like others.
  { name: '504 after 1 s', faults: { webSocket: 'unanswered', requestLimitMs: 1000 }, ...middle }
]

/** When the job's events are appended, in ms from its start. */
export function schedule({ events, intervalMs, pause }: Pace): number[] {
  return Array.from({ length: events }, (_, index) => (index + 1) * intervalMs + (pause ? Math.floor(index / pause.each) * pause.ms : 0))
}

/** The fault as it acts on this path and the better ones. */
export const faultsUpTo = ({ faults, isEverywhere }: Row, upTo: Path): Partial<Faults> => ({ ...faults, upTo: isEverywhere ? 'short-poll' : upTo })
