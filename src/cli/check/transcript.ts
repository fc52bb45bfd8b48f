/** What an event stream and a WebSocket have in common: frames, in the order in which they came. */

import type { Fields } from './http.ts'

export interface Transcript {
  /** The request, in words. */
  asked: string
  /** So far, arrays taken apart. */
  frames(): Fields[]
  /** What came, in words. */
  came(): string
  /** How it ended; `undefined` while it goes on. */
  over(): string | undefined
  /** When heartbeats came. */
  beats(): readonly number[]
  /** When anything came: ms, monotonic. */
  times(): readonly number[]
  /** True once it holds; false where nothing more comes, or not within the limit. */
  until(holds: () => boolean, limitMs?: number): Promise<boolean>
  close(): void
}

export const controlsIn = (transcript: Transcript, name: string, job?: string): Fields[] =>
  transcript.frames().filter(({ control, job: of }) => control === name && (job === undefined || of === job))

export const eventsIn = (transcript: Transcript, job: string): Fields[] =>
  transcript.frames().filter((frame) => frame.control === undefined && frame.job === job)

export const idsOf = (events: readonly Fields[]): unknown[] => events.map(({ id }) => id)
