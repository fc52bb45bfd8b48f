/** The ways of reading a job, best first: WebSocket, event stream, JSON that the server may hold, any other request. */
export const paths = ['websocket', 'sse', 'long-poll', 'short-poll'] as const

export type Path = (typeof paths)[number]

/**
 * What happens to what a client opens. `refuse`: 403. `reset`: its connection is reset. `unanswered`: no answer. `mute`: it opens, but delivers nothing.
 * `kill`: it opens and is cut after 200 ms. Of an answer that is not a stream, only the head is delivered.
 */
export type Opening = 'pass' | 'refuse' | 'reset' | 'unanswered' | 'mute' | 'kill'

// #region faults
/** The faults of the proxy. `noFaults` is a proxy that works. */
export interface Faults {
  /** All other faults act on this path and the better ones. The rest pass untouched. */
  upTo: Path
  webSocket: Opening
  /** The same for HTTP requests. */
  http: Opening
  /** Passes an event stream's headers at once, and its body only after its end. */
  bufferStreams: boolean
  /** Answers requests that last longer with 504, or cuts them if their headers are already out. Spares open WebSockets. 0: never. */
  requestLimitMs: number
  /** Delays every byte on its way to the client. */
  latencyMs: number
  /** Holds all bytes on their way to the client while true. */
  stalled: boolean
  /** Stops passing bytes, without closing, this long after the start of a WebSocket, stream, or request's connection. 0: never. */
  deadAfterMs: number
  /** Cuts WebSockets and streams this long after their start, and requests on connections older than that. 0: never. */
  cutAfterMs: number
  /** Resets connections at random times, after this long on average. 0: never. */
  resetAfterMs: number
  /** Cuts connections that have sent the client nothing for this long. 0: never. */
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

/** The time after which `kill` cuts. */
export const KILL_AFTER_MS = 200

const openings: readonly unknown[] = ['pass', 'refuse', 'reset', 'unanswered', 'mute', 'kill'] satisfies Opening[]
const choices: Readonly<Record<string, readonly unknown[]>> = { upTo: paths, webSocket: openings, http: openings }

/** Checks the faults in `value`. Unknown names, wrong types and values out of range throw a `TypeError`. */
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
