/** The record of an event stream or a WebSocket: its frames, in the order in which they came. */

import type { Fields } from './http.ts'

export interface Transcript {
  /** The request, in words. */
  asked: string
  /** The frames so far. Messages that are arrays count as several frames. */
  frames(): Fields[]
  /** What came, in words. */
  came(): string
  /** How it ended, in words; `undefined` while it goes on. */
  ended(): string | undefined
  /** When heartbeats came, by `performance.now()`. */
  heartbeatTimes(): readonly number[]
  /** When anything came, by `performance.now()`. */
  times(): readonly number[]
  /** Resolves with `true` once the condition holds, and with `false` after the end or after `limitMs`. */
  until(holds: () => boolean, limitMs?: number): Promise<boolean>
  close(): void
}

export const controlsIn = (transcript: Transcript, name: string, job?: string): Fields[] =>
  transcript.frames().filter(({ control, job: of }) => control === name && (job === undefined || of === job))

export const eventsIn = (transcript: Transcript, job: string): Fields[] =>
  transcript.frames().filter((frame) => frame.control === undefined && frame.job === job)

export const idsOf = (events: readonly Fields[]): unknown[] => events.map(({ id }) => id)
