/** Constants of the protocol, and the form of its names (PROTOCOL.md §1). */

import type { JobStatus } from './frames.ts'

/** The version of the protocol, sent in `hello`. */
export const PROTOCOL = 1
/** The WebSocket subprotocol. */
export const SUBPROTOCOL = 'jobtail.v1'
/** What the value of an HTTP header can carry, except blanks: visible ASCII and obs-text (RFC 9110 §5.5). */
export const BEARER_TOKEN: RegExp = /^[\x21-\x7e\x80-\xff]+$/
/** The prefix of the second offered subprotocol, which carries the bearer token as base64url of its header bytes. */
export const BEARER_PREFIX = 'bearer.'
/** The cursor that stands for the log's current end. */
export const TAIL = 'tail'
/** A list of jobs longer than this is split over several URLs. */
export const MAX_LIST_CHARS = 4000
/** A list that passes everywhere: IIS takes queries of up to 2,048 characters, other parameters included. */
export const SHORT_LIST_CHARS = 1900

/** A cursor: an event's id, or `tail`. */
const CURSOR = /^[\w.:~-]{1,128}$/
/** An event's id. `tail` is reserved. */
export const EVENT_ID: RegExp = /^(?!tail$)[\w.:~-]{1,128}$/
/** An event's type. `gap` is reserved: only a client makes such events. */
export const EVENT_TYPE: RegExp = /^(?!gap$)[\w.-]{1,64}$/
/** A job's status. */
export const STATUS: RegExp = /^(queued|running|succeeded|failed|cancelled)$/

/** Whether the value is a string that matches. `RegExp.test` alone would convert other values to strings. */
export const matches = (value: unknown, pattern: RegExp): value is string => typeof value === 'string' && pattern.test(value)

/** Whether the value is an event's id, or `tail`. */
export const isCursor = (value: unknown): value is string => matches(value, CURSOR)

export const isEventType = (value: unknown): value is string => matches(value, EVENT_TYPE)

/** Whether the value can be a job id: 1 to 256 bytes of well-formed UTF-8, and none of the names that URLs and the protocol reserve. */
export const isJobId = (value: unknown): value is string =>
  matches(value, /^(?!(\.\.?|events)$)\P{Surrogate}+$/u) && new TextEncoder().encode(value).length <= 256

export const isTerminal = (type: string): type is 'succeeded' | 'failed' | 'cancelled' => matches(type, /^(succeeded|failed|cancelled)$/)

export const isStatus = (value: unknown): value is JobStatus => matches(value, STATUS)

/** Says what a job id, or a cursor to read after, has to be; `undefined` where `value` is one. */
export function expected(what: 'job id' | 'after', value: unknown): string | undefined {
  if (what === 'after') return isCursor(value) ? undefined : 'an event\'s id or "tail"'
  return isJobId(value) ? undefined : '1 to 256 bytes of UTF-8 other than ".", "..", "events"'
}
