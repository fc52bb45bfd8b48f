/** What a client does with an `error` about a job: the table of PROTOCOL.md §7, but for 401, which is about the token. Pure. */

import { codeOf, type ErrorCode } from '../errors.ts'
import { isTransient } from './race.ts'

/** Pause, then go on with the same transport; or fail with this code: in case of `unknown-job` only after its grace. */
export type Decision = 'wait' | ErrorCode

/** `holdsCursor`: the job was requested from a cursor, so it must have existed before. */
export function decide(status: number, holdsCursor: boolean): Decision {
  if (status === 404 && holdsCursor) return 'history-gone'
  return isTransient(status) ? 'wait' : codeOf(status)
}
