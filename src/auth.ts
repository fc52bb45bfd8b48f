/** What links are opened with, and what its refusal means: another token is asked for, unless that was refused too. */

import { now } from './async/clock.ts'
import type { Credentials } from './credentials.ts'

/** Refused after a shorter time, it is not asked for anew at once each time, no more than a link that can't read what is wanted. */
const MIN_AUTHORIZED_MS = 5000

export interface Auth {
  /** What is opened with now; undefined until it has been asked for. */
  readonly latest: Credentials | undefined
  set(credentials: Credentials): void
  /** Whether they are from before: their refusal says nothing of the latest. */
  isSuperseded(credentials: Credentials | undefined): boolean
  /** The latest were refused, and are to be asked for anew: how often in a row that was soon again. Undefined where it is of no use. */
  refuse(): number | undefined
  /** Something is read with them, or nobody reads any more. */
  accept(): void
}

/** `canReauthorize`: whether asking again may give another token. */
export function createAuth(canReauthorize: boolean): Auth {
  let latest: Credentials | undefined
  let refused: Credentials | undefined
  /** The token source was asked again, and nothing has been read since. */
  let isReauthorized = false
  /** When that was, and how often in a row it was soon again. */
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
    refuse() {
      if (isReauthorized || !canReauthorize) return undefined
      // Again and again so soon, although something was read in between: old answers out of a cache, or a server of two minds.
      quickRefusals = now() - reauthorizedAt < MIN_AUTHORIZED_MS ? quickRefusals + 1 : 0
      isReauthorized = true
      refused = latest
      reauthorizedAt = now()
      return quickRefusals
    },
    accept() {
      isReauthorized = false
    }
  }
}
