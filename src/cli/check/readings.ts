/** What the clauses of all readings ask with, and look for. */

import { type Exchange, type Fields, isFields } from './http.ts'

/** Well-formed, and of no log. */
export const FOREIGN = 'jobtail-check-foreign'
export const MALFORMED = 'no cursor!'

/** Of browsers' pages, none may have this one. */
export const STRANGE_ORIGIN = 'https://jobtail-check.invalid'

export const seqsOf = (events: readonly Fields[]): unknown[] => events.map(({ seq }) => seq)

export const isSameSeqs = (some: readonly Fields[], others: readonly Fields[]): boolean => String(seqsOf(some)) === String(seqsOf(others))

/** A JSON reading, taken apart. */
export interface Reading {
  exchange: Exchange
  answer: Fields
  members: Fields[]
  events: Fields[]
}

export function readingIn(exchange: Exchange): Reading | undefined {
  const { status, json } = exchange
  if (status !== 200 || !isFields(json) || !Array.isArray(json.jobs) || !Array.isArray(json.events)) return undefined
  return { exchange, answer: json, members: json.jobs.filter(isFields), events: json.events.filter(isFields) }
}

/** A status by which a server says that it has no such reading, and not that of this job. */
export function isNotOffered({ status, json }: Pick<Exchange, 'status' | 'json'>): boolean {
  return [404, 405, 406, 415, 426, 501].includes(status) && !(isFields(json) && 'code' in json)
}
