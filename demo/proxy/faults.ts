/** What the proxy does wrong. Everything off is a proxy that does its work. */
export interface Faults {
  /** `refuse`: 403. `unanswered`: the handshake gets no answer. `mute`: it opens, and nothing comes. `kill`: it opens, and is cut after 200 ms. */
  webSocket: 'pass' | 'refuse' | 'unanswered' | 'mute' | 'kill'
  /** Passes an event stream's headers on, and its body only once that has ended. */
  bufferStreams: boolean
  /** Answers with 504 whatever has not ended after this long, and cuts it where its headers are already out; 0: never. */
  requestLimitMs: number
  /** Added to every byte on its way to the client. */
  latencyMs: number
  /** Holds every byte on its way to the client, until it is false again. */
  stalled: boolean
  /** Passes nothing on from this long after a connection's start, without closing it; 0: never. */
  deadAfterMs: number
  /** Cuts WebSockets and bodies this long after their start; 0: never. */
  cutAfterMs: number
  /** Cuts connections at random, after this long on average; 0: never. */
  resetAfterMs: number
  /** Cuts connections on which nothing has gone to the client for this long; 0: never. */
  idleLimitMs: number
}

export const noFaults: Readonly<Faults> = {
  webSocket: 'pass',
  bufferStreams: false,
  requestLimitMs: 0,
  latencyMs: 0,
  stalled: false,
  deadAfterMs: 0,
  cutAfterMs: 0,
  resetAfterMs: 0,
  idleLimitMs: 0
}

/** How long a WebSocket lives under `kill`. */
export const KILL_AFTER_MS = 200

const webSocketFaults: readonly unknown[] = ['pass', 'refuse', 'unanswered', 'mute', 'kill'] satisfies Faults['webSocket'][]

/** The faults that `value` names, checked; unknown names and wrong types throw. */
export function parseFaults(value: unknown): Partial<Faults> {
  if (typeof value !== 'object' || value === null) throw new TypeError('faults: expected an object')
  for (const [name, setting] of Object.entries(value)) {
    const normal: unknown = Object.hasOwn(noFaults, name) ? noFaults[name as keyof Faults] : undefined // as: just checked
    const fits = name === 'webSocket' ? webSocketFaults.includes(setting) : typeof setting === typeof normal && setting !== undefined
    if (!fits || (typeof setting === 'number' && !(setting >= 0 && setting <= 3_600_000)))
      throw new TypeError(`faults: ${name} can't be ${JSON.stringify(setting)}`)
  }
  return value as Partial<Faults> // as: each member has just been checked
}
