/** The credentials that links are opened with, and whether a refusal of them is worth asking the token source again. */

import { now } from './async/clock.ts'
import type { Credentials } from './credentials.ts'

/** A refusal that comes sooner than this after the token source was asked again is a quick one. After several in a row the next race waits. */
const MIN_AUTHORIZED_MS = 5000

export interface Auth {
  /** The credentials in use; `undefined` until the token source has given some. */
  readonly latest: Credentials | undefined
  /** Puts new credentials in use. */
  set(credentials: Credentials): void
  /** Whether these credentials were replaced or refused already: then their refusal says nothing about the ones in use. */
  isSuperseded(credentials: Credentials | undefined): boolean
  /**
   * Records that the credentials in use were refused, by the server itself or by somebody in between. Returns how many quick refusals came in
   * a row; `undefined` where asking the token source again is of no use: each of the two has it asked once.
   */
  refuse(byServer: boolean): number | undefined
  /** Records that they were accepted, or that nobody reads any more: the next refusal asks the token source again. */
  accept(): void
}

/** `canReauthorize`: whether the token source may give other credentials at a second call. */
export function createAuth(canReauthorize: boolean): Auth {
  let latest: Credentials | undefined
  let refused: Credentials | undefined
  /** For whose refusals the token source was asked again since something was read. */
  const asked = new Set<boolean>()
  /** When the token source was last asked again. */
  let reauthorizedAt = -Infinity
  let quickRefusals = 0

  return {
    get latest() {
      return latest
    },
    set(credentials) {
      latest = credentials
    },
    isSuperseded: (credentials) => credentials !== latest || credentials === refused,
    refuse(byServer) {
      if (asked.has(byServer) || !canReauthorize) return undefined
      // Refusals keep coming although something was read in between: a cache answers with old responses, or the servers behind one URL
      // disagree.
      quickRefusals = now() - reauthorizedAt < MIN_AUTHORIZED_MS ? quickRefusals + 1 : 0
      asked.add(byServer)
      refused = latest
      reauthorizedAt = now()
      return quickRefusals
    },
    accept: () => asked.clear()
  }
}
