/** Compares what a page received with the server's log. Pure. */

import { createHash } from 'node:crypto'
import type { WireEvent } from '../../src/protocol/frames.ts'
import type { Received, Report } from './page.ts'

export interface Exactness {
  lost: number
  repeated: number
  outOfOrder: number
  /** True if the loop ended by itself, after the terminal event. */
  hasEnded: boolean
}

const fingerprint = ({ id, seq, data }: Pick<WireEvent, 'id' | 'seq' | 'data'>): string =>
  `${id} ${seq} ${createHash('sha256').update(JSON.stringify(data)).digest('hex')}`

export function exactness(log: readonly WireEvent[], { events, over }: Report): Exactness {
  const had = events.map(fingerprint)
  const once = new Set(had)
  const outOfOrder = events.filter(({ seq }, index) => index > 0 && seq <= (events[index - 1]?.seq ?? 0)).length
  return {
    lost: log.filter((event) => !once.has(fingerprint(event))).length,
    repeated: had.length - once.size,
    outOfOrder,
    hasEnded: over === 'ended' && events.at(-1)?.id === log.at(-1)?.id
  }
}

export const isExact = ({ lost, repeated, outOfOrder, hasEnded }: Exactness): boolean => lost + repeated + outOfOrder === 0 && hasEnded

const appendedAt = ({ time }: WireEvent): number => Date.parse(time)

/** The longest wait for an event: since its append, the receipt of the one before it, or the page's start, whichever was last. */
export function longestGapMs(log: readonly WireEvent[], { events, startedAt }: Report): number {
  const appended = new Map(log.map((event) => [event.seq, appendedAt(event)]))
  const gaps = events.map(({ seq, at }, index) => at - Math.max(appended.get(seq) ?? at, events[index - 1]?.at ?? startedAt))
  return Math.max(0, ...gaps)
}

/** The time from `moment` to the receipt of the first event that was appended after it. */
export function firstAfterMs(log: readonly WireEvent[], events: readonly Received[], moment: number): number {
  const first = log.find((event) => appendedAt(event) > moment)
  return (events.find(({ seq }) => seq === first?.seq)?.at ?? Number.NaN) - moment
}

/** The transports that were live, in order. */
export const carriers = ({ diagnostics }: Pick<Report, 'diagnostics'>): string[] =>
  diagnostics
    .flatMap(({ type, transport = '' }) => (type === 'live' || type === 'switched' ? [transport] : []))
    .filter((name, index, all) => name !== all[index - 1])
