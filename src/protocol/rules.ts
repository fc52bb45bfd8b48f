/** The protocol's constants and the shapes of its names (PROTOCOL.md §1). */

import type { JobStatus } from './frames.ts'

export const PROTOCOL = 1
export const SUBPROTOCOL = 'jobtail.v1'
/** Whatever the value of an HTTP header can carry but blanks: visible ASCII and obs-text (RFC 9110 §5.5). */
export const BEARER_TOKEN: RegExp = /^[\x21-\x7e\x80-\xff]+$/
/** Prefix of the offered subprotocol that carries a bearer token: base64url of the bytes that the header would have. */
export const BEARER_PREFIX = 'bearer.'
export const TAIL = 'tail'
/** Lists of jobs in a URL are split above this many characters. */
export const MAX_LIST_CHARS = 4000

/** What may stand after `?after=`. */
const CURSOR = /^[\w.:~-]{1,128}$/
export const EVENT_ID: RegExp = /^(?!tail$)[\w.:~-]{1,128}$/
/** `gap` is refused: only a client makes such events. */
export const EVENT_TYPE: RegExp = /^(?!gap$)[\w.-]{1,64}$/
export const STATUS: RegExp = /^(queued|running|succeeded|failed|cancelled)$/

/** Whether it is a string that the pattern takes: a pattern alone turns other values into strings. */
export const matches = (value: unknown, pattern: RegExp): value is string => typeof value === 'string' && pattern.test(value)

/** An event's id, or `tail`. */
export const isCursor = (value: unknown): value is string => matches(value, CURSOR)

export const isEventType = (value: unknown): value is string => matches(value, EVENT_TYPE)

/** 1 to 256 UTF-8 bytes, well-formed, and not a name that a URL or the protocol needs. */
export const isJobId = (value: unknown): value is string =>
  matches(value, /^(?!(\.\.?|events)$)\P{Surrogate}+$/u) && new TextEncoder().encode(value).length <= 256

export const isTerminal = (type: string): type is 'succeeded' | 'failed' | 'cancelled' => matches(type, /^(succeeded|failed|cancelled)$/)

export const isStatus = (value: unknown): value is JobStatus => matches(value, STATUS)
