/** What a client does at an `error` or a problem+json body: the table of PROTOCOL.md §7. Pure. */

import { codeOf, type ErrorCode } from '../errors.ts'
import { isPassing } from './race.ts'

/** Ask the token source once more; wait, on the same path; ask again for a job that may not be there yet; or throw that. */
export type Decision = 'reauthorize' | 'wait' | 'ask-again' | ErrorCode

/** `holdsCursor`: the job was asked for after a cursor, so that it must have been there once. */
export function decide(status: number, holdsCursor: boolean): Decision {
  if (status === 401) return 'reauthorize'
  if (status === 404) return holdsCursor ? 'history-gone' : 'ask-again'
  return isPassing(status) ? 'wait' : codeOf(status)
}
