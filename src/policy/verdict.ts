/** What a client does at an `error` or a problem+json body: the table of PROTOCOL.md §7. Pure. */

import type { ErrorCode } from '../errors.ts'

export type Verdict =
  | { do: 'throw'; code: ErrorCode }
  /** Ask the token source once more. */
  | { do: 'reauthorize' }
  /** The job may not be there yet. */
  | { do: 'ask-again' }
  /** Busy: wait, on the same path. */
  | { do: 'wait' }

/** `holdsCursor`: the job was asked for after a cursor, so that it must have been there once. */
export function verdict(status: number, holdsCursor: boolean): Verdict {
  switch (status) {
    case 401:
      return { do: 'reauthorize' }
    case 403:
      return { do: 'throw', code: 'forbidden' }
    case 404:
      return holdsCursor ? { do: 'throw', code: 'history-gone' } : { do: 'ask-again' }
    case 410:
      return { do: 'throw', code: 'history-gone' }
    case 408:
    case 429:
      return { do: 'wait' }
    default:
      return status < 500 ? { do: 'throw', code: 'bad-request' } : { do: 'wait' }
  }
}
