/** Test values and helpers that the clauses of all readings share. */

import { type Exchange, type Fields, isFields } from './http.ts'

/** A well-formed cursor that no log has. */
export const FOREIGN_CURSOR = 'jobtail-check-foreign'
export const MALFORMED_CURSOR = 'no cursor!'

/** An origin that no page can have: `.invalid` is reserved (RFC 2606). */
export const FOREIGN_ORIGIN = 'https://jobtail-check.invalid'

export const seqsOf = (events: readonly Fields[]): unknown[] => events.map(({ seq }) => seq)

export const isSameSeqs = (some: readonly Fields[], others: readonly Fields[]): boolean => String(seqsOf(some)) === String(seqsOf(others))

/** A parsed JSON reading. */
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

/** Whether an error says that the server doesn't offer the reading, rather than something about the job. */
export function isNotOffered({ status, json }: Pick<Exchange, 'status' | 'json'>): boolean {
  return [404, 405, 406, 415, 426, 501].includes(status) && !(isFields(json) && 'code' in json)
}
