/** What a client does with an `error` frame or a problem+json body: the table of PROTOCOL.md §7. Pure. */

import { codeOf, type ErrorCode } from '../errors.ts'
import { isTransient } from './race.ts'

/** Ask the token source again; pause, then go on with the same transport; ask again for a job that may not exist yet; or fail with this code. */
export type Decision = 'reauthorize' | 'wait' | 'retry' | ErrorCode

/** `holdsCursor`: the job was requested from a cursor, so it must have existed before. */
export function decide(status: number, holdsCursor: boolean): Decision {
  if (status === 401) return 'reauthorize'
  if (status === 404) return holdsCursor ? 'history-gone' : 'retry'
  return isTransient(status) ? 'wait' : codeOf(status)
}
