/** The ways of reading a job, best first: WebSocket, event stream, JSON that the server may hold, any other request. */
export const paths = ['websocket', 'sse', 'long-poll', 'short-poll'] as const

export type Path = (typeof paths)[number]

/**
 * What becomes of what is opened. `refuse`: 403. `reset`: its connection is reset at once. `unanswered`: it gets no answer. `mute`: it opens, and nothing comes.
 * `kill`: it opens, and is cut after 200 ms; of an answer that is no stream, only the head comes.
 */
export type Opening = 'pass' | 'refuse' | 'reset' | 'unanswered' | 'mute' | 'kill'

// #region faults
/** What the proxy does wrong. Everything off is a proxy that does its work. */
export interface Faults {
  /** Which ways of reading suffer from any of it: this one and all better ones. The others pass as if nothing were. */
  upTo: Path
  webSocket: Opening
  /** The same for requests. */
  http: Opening
  /** Passes an event stream's headers on, and its body only once that has ended. */
  bufferStreams: boolean
  /** Answers with 504 whatever has not ended after this long, and cuts it where its headers are already out; 0: never. WebSockets that have opened are spared. */
  requestLimitMs: number
  /** Added to every byte on its way to the client. */
  latencyMs: number
  /** Holds every byte on its way to the client, until it is false again. */
  stalled: boolean
  /** Passes nothing on from this long after a WebSocket's or stream's start, or that of a request's connection, without closing it; 0: never. */
  deadAfterMs: number
  /** Cuts WebSockets and streams this long after their start, and what a connection older than that carries; 0: never. */
  cutAfterMs: number
  /** Resets connections at random, after this long on average; 0: never. */
  resetAfterMs: number
  /** Cuts connections on which nothing has gone to the client for this long; 0: never. */
  idleLimitMs: number
}
// #endregion

export const noFaults: Readonly<Faults> = {
  upTo: 'short-poll',
  webSocket: 'pass',
  http: 'pass',
  bufferStreams: false,
  requestLimitMs: 0,
  latencyMs: 0,
  stalled: false,
  deadAfterMs: 0,
  cutAfterMs: 0,
  resetAfterMs: 0,
  idleLimitMs: 0
}

/** How long something lives under `kill`. */
export const KILL_AFTER_MS = 200

const openings: readonly unknown[] = ['pass', 'refuse', 'reset', 'unanswered', 'mute', 'kill'] satisfies Opening[]
const choices: Readonly<Record<string, readonly unknown[]>> = { upTo: paths, webSocket: openings, http: openings }

/** The faults that `value` names, checked; unknown names and wrong types throw. */
export function parseFaults(value: unknown): Partial<Faults> {
  if (typeof value !== 'object' || value === null) throw new TypeError('faults: expected an object')
  for (const [name, setting] of Object.entries(value)) {
    const normal: unknown = Object.hasOwn(noFaults, name) ? noFaults[name as keyof Faults] : undefined // as: just checked
    const fits = name in choices ? choices[name]?.includes(setting) : typeof setting === typeof normal && setting !== undefined
    if (!fits || (typeof setting === 'number' && !(setting >= 0 && setting <= 3_600_000)))
      throw new TypeError(`faults: ${name} can't be ${JSON.stringify(setting)}`)
  }
  return value as Partial<Faults> // as: each member has just been checked
}
