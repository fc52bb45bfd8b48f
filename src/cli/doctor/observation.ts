/** What was seen of one reading. Times are in ms, by `performance.now()`. */

import type { Fields } from '../check/http.ts'

/** The readings that are tried, best first. */
export const READINGS = ['websocket', 'sse', 'ndjson', 'long-poll', 'short-poll'] as const
export type ReadingName = (typeof READINGS)[number]

/** The head of an answer, as it arrived here. */
export interface Head {
  status: number
  /** Such as `1.1`. */
  httpVersion: string
  headers: Readonly<Record<string, string>>
  at: number
}

export interface Observation {
  reading: ReadingName
  startedAt: number
  /** `undefined`: no answer came. */
  head?: Head
  /** The subprotocol was selected, and the socket is open. */
  opened?: boolean
  frames: { frame: Fields; at: number }[]
  /** When bytes of the body came. */
  bytesAt: number[]
  /** The beginning of a body that is no reading. */
  text: string
  /** How it ended; `undefined`: it was open at the end of the watch. */
  end?: { what: string; at: number }
  /** How long the server was asked to hold a request, for a long poll. */
  waitMs?: number
}

/** All that was seen. */
export interface Watch {
  /** Whether the job was running throughout. */
  isRunning: boolean
  heartbeatMs: number
  endedAt: number
  observations: readonly Observation[]
  /** When single reads first knew each event, by its `seq`: what the server had by then. */
  known: ReadonlyMap<number, number>
  /** A handshake that says its page's origin is refused by the server, and one without an origin is not. */
  originRefused: boolean
}

export const controlsOf = ({ frames }: Observation, name: string): Fields[] => frames.flatMap(({ frame }) => (frame.control === name ? [frame] : []))
export const seqsOf = ({ frames }: Observation): number[] => frames.flatMap(({ frame }) => (frame.control === undefined ? [Number(frame.seq)] : []))
