/** The protocol's constants and the shapes of its names (PROTOCOL.md §1). */

import type { JobStatus } from './frames.ts'

export const PROTOCOL = 1
export const SUBPROTOCOL = 'jobtail.v1'
/** Prefix of the offered subprotocol that carries a bearer token, base64url. */
export const BEARER_PREFIX = 'bearer.'
export const TAIL = 'tail'
/** Lists of jobs in a URL are split above this many characters. */
export const MAX_LIST_CHARS = 4000

export const isCursor = (value: unknown): value is string => typeof value === 'string' && /^[A-Za-z0-9._:~-]{1,128}$/.test(value)

export const isEventType = (value: unknown): value is string => typeof value === 'string' && /^[A-Za-z0-9._-]{1,64}$/.test(value)

/** 1 to 256 UTF-8 bytes, well-formed, and not a name that a URL or the protocol needs. */
export const isJobId = (value: unknown): value is string =>
  typeof value === 'string' &&
  value !== '' &&
  value !== '.' &&
  value !== '..' &&
  value !== 'events' &&
  !/[\ud800-\udfff]/u.test(value) &&
  new TextEncoder().encode(value).length <= 256

export const isTerminal = (type: string): type is 'succeeded' | 'failed' | 'cancelled' => type === 'succeeded' || type === 'failed' || type === 'cancelled'

export const isStatus = (value: unknown): value is JobStatus => value === 'queued' || value === 'running' || (typeof value === 'string' && isTerminal(value))
