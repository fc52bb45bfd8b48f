/** What the clauses of all readings ask with, and look for. */

import { type Exchange, type Fields, isFields } from './http.ts'

/** Well-formed, and of no log. */
export const FOREIGN = 'jobtail-check-foreign'
export const MALFORMED = 'no cursor!'

export const seqsOf = (events: readonly Fields[]): unknown[] => events.map(({ seq }) => seq)

/** A status by which a server says that it has no such reading, and not that of this job. */
export function isNotOffered({ status, json }: Pick<Exchange, 'status' | 'json'>): boolean {
  return [404, 405, 406, 415, 426, 501].includes(status) && !(isFields(json) && 'code' in json)
}
