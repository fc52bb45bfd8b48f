/** What links are opened with, and what its refusal means: another one is asked for, unless that was refused too. */

import { now } from '../async/clock.ts'
import { orAborted } from '../async/signals.ts'
import type { Credentials } from '../credentials.ts'

/** Refused after a shorter time, it is not asked for anew at once each time, no more than a link that can't read what is wanted. */
const MIN_AUTHORIZED_MS = 5000

export interface TokensOptions {
  /** Asks the token source. */
  authorize(): Promise<Credentials>
  /** Whether asking again may give another token. */
  canReauthorize: boolean
}

export interface Tokens {
  /** What is opened with now. */
  credentials(): Credentials
  authorize(signal: AbortSignal): Promise<void>
  /** Whether they are from before: their refusal says nothing of the latest. */
  areOld(credentials: Credentials): boolean
  /** The latest were refused, and are to be asked for anew: how often in a row that was soon again. Undefined where it is of no use. */
  refuse(): number | undefined
  /** Something is read with them, or nobody reads any more. */
  forget(): void
}

export function createTokens(options: TokensOptions): Tokens {
  /** What is opened with now, and what of it was refused last. */
  let latest: Credentials
  let refused: Credentials | undefined
  /** The token source was asked again, and nothing has been read since. */
  let reauthorized = false
  /** When that was, and how often in a row it was soon again. */
  let reauthorizedAt = -Infinity
  let hasty = 0

  return {
    credentials: () => latest,
    async authorize(signal) {
      latest = await orAborted(options.authorize(), signal)
    },
    areOld: (credentials) => credentials !== latest || credentials === refused,
    refuse() {
      if (reauthorized || !options.canReauthorize) return undefined
      // Again and again so soon, although something was read in between: old answers out of a cache, or a server of two minds.
      hasty = now() - reauthorizedAt < MIN_AUTHORIZED_MS ? hasty + 1 : 0
      reauthorized = true
      refused = latest
      reauthorizedAt = now()
      return hasty
    },
    forget() {
      reauthorized = false
    }
  }
}
