/** The protocol's constants and the shapes of its names (PROTOCOL.md §1). */

import type { JobStatus } from './frames.ts'

export const PROTOCOL = 1
export const SUBPROTOCOL = 'jobtail.v1'
/** Prefix of the offered subprotocol that carries a bearer token, base64url. */
export const BEARER_PREFIX = 'bearer.'
export const TAIL = 'tail'
/** Lists of jobs in a URL are split above this many characters. */
export const MAX_LIST_CHARS = 4000

/** A string that the pattern takes whole: patterns turn other values into strings first. */
const matches = (pattern: RegExp, value: unknown): value is string => typeof value === 'string' && pattern.test(value)

/** What may stand after `?after=`: an event's id, or `tail`. */
export const isCursor = (value: unknown): value is string => matches(/^[\w.:~-]{1,128}$/, value)

/** `gap` is refused: only a client makes such events. */
export const isEventType = (value: unknown): value is string => matches(/^(?!gap$)[\w.-]{1,64}$/, value)

/** 1 to 256 UTF-8 bytes, well-formed, and not a name that a URL or the protocol needs. */
export const isJobId = (value: unknown): value is string =>
  matches(/^(?!(\.\.?|events)$)\P{Surrogate}+$/u, value) &&
  // A UTF-16 unit takes at most 3 bytes; encoding every event's id anew would cost as much as parsing the event.
  (value.length <= 85 || new TextEncoder().encode(value).length <= 256)

export const isTerminal = (type: string): type is 'succeeded' | 'failed' | 'cancelled' => matches(/^(succeeded|failed|cancelled)$/, type)

export const isStatus = (value: unknown): value is JobStatus => matches(/^(queued|running|succeeded|failed|cancelled)$/, value)
