/** The two errors that a loop or `result` can throw, and the one that a transport throws to its owner. */

import type { JobEvent } from './protocol/events.ts'
import type { Problem, WireEvent } from './protocol/frames.ts'

export type ErrorCode =
  /** 401, also after the token source was asked again. */
  | 'unauthorized'
  /** 403. */
  | 'forbidden'
  /** 404, for all of `unknownJobGraceMs`. */
  | 'unknown-job'
  /** 410; or 404 for a job that was asked for from a cursor. */
  | 'history-gone'
  /** History is lost, with `onGap: 'throw'`. */
  | 'gap'
  /** `retry.attempts` are used up. */
  | 'unreachable'
  /** None of the transports is there; or the backend has no such operation. */
  | 'unsupported'
  /** The answer to an operation isn't the protocol's. */
  | 'protocol'
  /** An option, an id or a token that can't be; or another 4xx of the server's. */
  | 'bad-request'
  /** By `close()`, of the subscription or of the client. */
  | 'closed'

/** What a server says may be of any length, and may give back what it was sent: what is known to be a credential is left out where it is quoted, what looks like one is here. */
const redact = (message: string): string => message.slice(0, 2000).replace(/(Bearer |bearer\.)[^\s"]+/g, '$1…')

export interface JobtailErrorOptions {
  transport?: string | undefined
  status?: number | undefined
  /** How long the server asked for a pause. */
  retryAfterMs?: number | undefined
  cause?: unknown
}

/** Delivery has failed for good: `code` says how, the message what was tried, `cause` keeps what was caught. */
export class JobtailError extends Error {
  override readonly name = 'JobtailError'
  declare readonly code: ErrorCode
  /** The transport that it happened on, where it was one. */
  declare readonly transport?: string
  /** The HTTP status that said so, where one did. */
  declare readonly status?: number
  /** The pause that the server asked for, where it did. */
  declare readonly retryAfterMs?: number

  constructor(code: ErrorCode, message: string, options: JobtailErrorOptions = {}) {
    super(redact(message), options)
    this.code = code
    const { transport, status, retryAfterMs } = options
    if (transport !== undefined) this.transport = transport
    if (status !== undefined) this.status = status
    if (retryAfterMs !== undefined) this.retryAfterMs = retryAfterMs
  }
}

/** The job itself ended as `failed` or `cancelled`: what `result` rejects with. */
export class JobFailedError extends Error {
  override readonly name = 'JobFailedError'
  /** The failure's own code; `cancelled` for a cancelled job. */
  declare readonly code: string
  /** The terminal event. */
  declare readonly event: JobEvent

  constructor(event: WireEvent) {
    const { code, message, reason } = (event.data ?? {}) as { code?: unknown; message?: unknown; reason?: unknown } // as: any JSON; each field is checked below
    const outcome = event.type === 'cancelled' ? 'was cancelled' : 'failed'
    super(typeof message === 'string' ? message : `job ${event.job} ${outcome}${typeof reason === 'string' ? `: ${reason}` : ''}`)
    this.code = event.type === 'failed' && typeof code === 'string' ? code : event.type
    this.event = event as JobEvent // as: `failed` or `cancelled`, with data of the conventional shape or of the application's
  }
}

/** True for a `JobtailError`, also one made by another copy of this library. */
export const isJobtailError = (value: unknown): value is JobtailError => value instanceof Error && value.name === 'JobtailError'

/** How a path failed. */
export type FailureReason =
  /** There is no such thing here. */
  | 'unsupported'
  /** The handshake failed. */
  | 'refused'
  /** It opened, but no frame came in time. */
  | 'mute'
  /** Nothing came in time. */
  | 'timeout'
  /** It ended, or broke, in the middle. */
  | 'cut'
  /** It has been silent for too long. */
  | 'silent'
  /** Somebody answered another status. */
  | 'status'
  /** Somebody answered something else than was asked for. */
  | 'content-type'
  /** It was redirected to somewhere else. */
  | 'redirected'
  /** The answer begins elsewhere than at the cursor that was asked for: that was lost on the way, or a cache answered. */
  | 'stale'
  /** What came isn't the protocol's. */
  | 'protocol'
  /** The server closes the connection as planned. */
  | 'bye'
  /** No answer: the network, CORS or mixed content, which browsers don't tell apart. */
  | 'network'

export interface TransportErrorOptions {
  status?: number | undefined
  /** What `Retry-After` asked for, whoever sent it. */
  retryAfterMs?: number | undefined
  cause?: unknown
}

/** A path has failed: what a transport's frames throw. Says nothing about the job; the next transport may do better. */
export class TransportError extends Error {
  override readonly name = 'TransportError'
  declare readonly reason: FailureReason
  declare readonly status: number | undefined
  declare readonly retryAfterMs: number | undefined

  constructor(reason: FailureReason, message: string, options: TransportErrorOptions = {}) {
    super(redact(message), options)
    this.reason = reason
    this.status = options.status
    this.retryAfterMs = options.retryAfterMs
  }
}

/** True for a `TransportError`, also one made by another copy of this library. */
export const isTransportError = (value: unknown): value is TransportError => value instanceof Error && value.name === 'TransportError'

/** What a status says, where nothing says it better (PROTOCOL.md §7). */
export const codeOf = (status: number): ErrorCode =>
  (({ 401: 'unauthorized', 403: 'forbidden', 404: 'unknown-job', 410: 'history-gone' }) as Partial<Record<number, ErrorCode>>)[status] ?? 'bad-request' // as: any number may be asked for

/** The server's own word as an error. */
export const saidBy = (subject: string, { status, code, message, retryAfterMs }: Problem, as: ErrorCode = codeOf(status)): JobtailError =>
  new JobtailError(as, `${subject}: the server said ${status} ${code}${message && `: ${message}`}`, { status, retryAfterMs })

export const messageOf = (error: unknown): string => (error instanceof Error ? error.message : String(error))
