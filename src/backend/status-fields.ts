/** What the status documents of widespread servers have in common. */

import { TransportError } from '../errors.ts'
import type { DocumentEvents } from './document.ts'
import type { StatusPollOptions } from './status-poll.ts'

/** The options of `statusPoll`, except `read`, which the preset defines. */
export type PresetOptions = Omit<StatusPollOptions, 'read'>

/** Untrusted JSON. */
export type Fields = Record<string, unknown>

/** The document's fields; none where it has none. */
export const fieldsOf = (document: unknown): Fields => Object(document)

/** Requires a string field. Another document, such as a login page's JSON, would otherwise look like a job that never ends. */
export function requireString(name: string, document: unknown): Fields {
  const fields = fieldsOf(document)
  if (typeof fields[name] !== 'string') throw new TransportError('protocol', `${name}: expected a string, got ${JSON.stringify(fields[name]) ?? 'nothing'}`)
  return fields
}

const textOf = (value: unknown, otherwise: string): string => (typeof value === 'string' ? value : value == null ? otherwise : JSON.stringify(value))

/** The end of a job that has failed. */
export const failed = (code: unknown, message: unknown): DocumentEvents => [
  ['failed', { code: textOf(code, 'failed'), message: textOf(message, 'the job has failed') }]
]

/** The ratio of a percentage, which may be a text; `undefined` where it is none. */
export function ratioOf(percentage: unknown): { ratio: number } | undefined {
  const part = Number.parseFloat(`${percentage}`)
  return Number.isNaN(part) ? undefined : { ratio: Math.min(1, Math.max(0, part / 100)) }
}

/** A progress where there is one. */
export const progressOf = (progress: unknown): DocumentEvents => (progress === undefined ? [] : [['progress', progress]])

/** The error for a document that is none of the server's. */
export const unexpected = (document: unknown): TransportError =>
  new TransportError('protocol', `expected a status document, got ${JSON.stringify(document)?.slice(0, 100)}`)
