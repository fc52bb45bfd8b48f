/** The errors that the client throws: `JobtailError` and `JobFailedError` to applications, `TransportError` from a transport to the client. */

import type { JobEvent } from './protocol/events.ts'
import type { Problem, WireEvent } from './protocol/frames.ts'

/** Why delivery failed for good, or a request was refused. */
export type ErrorCode =
  /** The server answered 401, also to the credentials that the token source gave at a second call. */
  | 'unauthorized'
  /** The server answered 403. */
  | 'forbidden'
  /** The server answered 404 for all of `unknownJobGraceMs`. */
  | 'unknown-job'
  /** The server answered 410; or 404 for a job that was requested from a cursor. */
  | 'history-gone'
  /** Events are lost, and `onGap` is `'throw'`. */
  | 'gap'
  /** Nothing was delivered in `retry.attempts` attempts. */
  | 'unreachable'
  /** No transport can be used here, or the backend does not have this operation. */
  | 'unsupported'
  /** The answer to `start`, `cancel` or a snapshot does not follow the protocol. */
  | 'protocol'
  /** An option, an id or a token is invalid, or the server answered 400, 422 or another 4xx of its own. */
  | 'bad-request'
  /** The subscription or the client was closed with `close()`. */
  | 'closed'

/**
 * Shortens a text that a server sent, and removes what looks like a credential: a server may echo what it was sent. Known credentials are
 * removed where the text is quoted.
 */
const redact = (message: string): string => message.slice(0, 2000).replace(/(Bearer |bearer\.)[^\s"]+/g, '$1…')

/** The fields of a `JobtailError` beside its code and message. */
export interface JobtailErrorOptions {
  /** The transport that it happened on. */
  transport?: string | undefined
  /** The HTTP status that caused it. */
  status?: number | undefined
  /** The pause that the server asked for. */
  retryAfterMs?: number | undefined
  /** What was caught. */
  cause?: unknown
}

/** Gives an error those fields that are known. */
function annotate(error: object, options: JobtailErrorOptions): void {
  for (const name of ['transport', 'status', 'retryAfterMs'] as const) if (options[name] !== undefined) Object.assign(error, { [name]: options[name] })
}

/** Delivery has failed for good, or a request was refused. `code` says why, `message` what was tried, `cause` is what was caught. */
export class JobtailError extends Error {
  override readonly name = 'JobtailError'
  /** Why. */
  declare readonly code: ErrorCode
  /** The transport that it happened on; absent where it was none. */
  declare readonly transport?: string
  /** The HTTP status that caused it; absent where there was none. */
  declare readonly status?: number
  /** The pause that the server asked for, in ms; absent where it asked for none. */
  declare readonly retryAfterMs?: number

  constructor(code: ErrorCode, message: string, options: JobtailErrorOptions = {}) {
    super(redact(message), options)
    this.code = code
    annotate(this, options)
  }
}

/** The job failed or was cancelled. `result` rejects with it. */
export class JobFailedError extends Error {
  override readonly name = 'JobFailedError'
  /** The code that the job failed with, `failed` where it has none; `cancelled` for a cancelled job. */
  declare readonly code: string
  /** The job's terminal event. */
  declare readonly event: JobEvent

  constructor(event: WireEvent) {
    const { code, message, reason } = (event.data ?? {}) as { code?: unknown; message?: unknown; reason?: unknown } // as: any JSON; each field is checked below
    const outcome = event.type === 'cancelled' ? 'was cancelled' : 'failed'
    super(typeof message === 'string' ? message : `job ${event.job} ${outcome}${typeof reason === 'string' ? `: ${reason}` : ''}`)
    this.code = event.type === 'failed' && typeof code === 'string' ? code : event.type
    this.event = event as JobEvent // as: `failed` or `cancelled`, with data of the conventional shape or of the application's
  }
}

/** Whether the value is a `JobtailError`, also one that another copy of this library has made. */
export const isJobtailError = (value: unknown): value is JobtailError => value instanceof Error && value.name === 'JobtailError'

/** How a transport failed. */
export type FailureReason =
  /** The environment lacks what the transport needs. */
  | 'unsupported'
  /** The handshake of a WebSocket failed. */
  | 'refused'
  /** The connection opened, but no frame came in time. */
  | 'mute'
  /** No answer came in time. */
  | 'timeout'
  /** The connection, or the answer's body, ended or broke before the job's end. */
  | 'cut'
  /** The connection was silent for too long. */
  | 'silent'
  /** The answer has an error status. */
  | 'status'
  /** The answer has another content type than requested. */
  | 'content-type'
  /** The request was redirected elsewhere, for example to a login page. */
  | 'redirected'
  /** The answer begins at another cursor than requested: the cursor was lost on the way, or a cache answered. */
  | 'stale'
  /** What came does not follow the protocol. */
  | 'protocol'
  /** The server closed the connection as planned. */
  | 'bye'
  /** There was no answer: the network, CORS or mixed content has failed. Browsers do not tell these apart. */
  | 'network'

/** The fields of a `TransportError` beside its reason and message. */
export interface TransportErrorOptions {
  /** The HTTP status of the answer. */
  status?: number | undefined
  /** The pause that `Retry-After` asked for, whoever sent it. */
  retryAfterMs?: number | undefined
  /** What was caught. */
  cause?: unknown
}

/** A transport has failed. It says nothing about the job: the next transport may work. Transports and backends throw it. */
export class TransportError extends Error {
  override readonly name = 'TransportError'
  /** How it failed. */
  declare readonly reason: FailureReason
  /** The HTTP status of the answer; `undefined` where there was none. */
  declare readonly status: number | undefined
  /** The pause that was asked for, in ms. */
  declare readonly retryAfterMs: number | undefined

  constructor(reason: FailureReason, message: string, options: TransportErrorOptions = {}) {
    super(redact(message), options)
    this.reason = reason
    annotate(this, options)
  }
}

/** Whether the value is a `TransportError`, also one that another copy of this library has made. */
export const isTransportError = (value: unknown): value is TransportError => value instanceof Error && value.name === 'TransportError'

/** The error code that stands for a status, where the answer has no code of its own (PROTOCOL.md §7). */
export const codeOf = (status: number): ErrorCode =>
  (({ 401: 'unauthorized', 403: 'forbidden', 404: 'unknown-job', 410: 'history-gone' }) as Partial<Record<number, ErrorCode>>)[status] ?? 'bad-request' // as: any number may be asked for

/** The error that tells an application of the server's refusal. */
export const saidBy = (subject: string, { status, code, message, retryAfterMs }: Problem, as: ErrorCode = codeOf(status)): JobtailError =>
  new JobtailError(as, `${subject}: the server said ${status} ${code}${message && `: ${message}`}`, { status, retryAfterMs })

/** The message of whatever was thrown. */
export const messageOf = (error: unknown): string => (error instanceof Error ? error.message : String(error))
