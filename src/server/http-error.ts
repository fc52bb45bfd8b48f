import type { ErrorControl, Problem } from '../protocol/frames.ts'
import { logErrorCode } from './log/types.ts'

interface HttpErrorOptions {
  retryAfterMs?: number
  headers?: Record<string, string>
}

/**
 * The refusal of a request, or of one job in it, that a client is told about. An error without a `code` says nothing about the job: clients take it for a
 * failure of the path, and try another transport (PROTOCOL.md §7).
 */
export class HttpError extends Error {
  readonly status: number
  readonly code: string | undefined
  readonly retryAfterMs: number | undefined
  readonly headers: Record<string, string>

  constructor(status: number, code: string | undefined, message: string, { retryAfterMs, headers = {} }: HttpErrorOptions = {}) {
    super(message)
    this.status = status
    this.code = code
    this.retryAfterMs = retryAfterMs
    this.headers = headers
  }
}

export const badRequest = (message: string, status = 400): HttpError => new HttpError(status, 'bad-request', message)
export const tooLarge = (maxBytes: number): HttpError => badRequest(`body: expected at most ${maxBytes} bytes (maxBodyBytes)`, 413)
export const unauthorized = (): HttpError => new HttpError(401, 'unauthorized', 'valid credentials are needed', { headers: { 'WWW-Authenticate': 'Bearer' } })
export const forbidden = (message = 'not allowed'): HttpError => new HttpError(403, 'forbidden', message)
export const unknownJob = (): HttpError => new HttpError(404, 'unknown-job', 'no such job')
export const historyGone = (): HttpError => new HttpError(410, 'history-gone', 'the job and its log were dropped')
export const busy = (status: 429 | 503, message: string, retryAfterMs: number): HttpError => new HttpError(status, 'busy', message, { retryAfterMs })
export const closing = (): HttpError => busy(503, 'the server is closing', 1000)
export const unavailable = (): HttpError => busy(503, "the server can't reach its log", 2000)
export const internal = (): HttpError => new HttpError(500, undefined, 'the request could not be handled')
export const notFound = (): HttpError => new HttpError(404, undefined, 'there is no such resource')
export const methodNotAllowed = (allow: string): HttpError => new HttpError(405, undefined, `expected ${allow}`, { headers: { Allow: allow } })

/**
 * The `HttpError` to answer with for whatever was thrown. Failures of the server, and outages of its log, go to `onError`: clients don't get their messages.
 */
export function toHttpError(error: unknown, onError: (error: unknown) => void): HttpError {
  if (error instanceof HttpError) return error
  const code = logErrorCode(error)
  if (code !== 'history-gone' && code !== 'closed') onError(error)
  switch (code) {
    case 'history-gone':
      return historyGone()
    case 'unavailable':
      return unavailable()
    case 'closed':
      return closing()
    default:
      return internal()
  }
}

/** The `error` of one job among several. What would be a 500 by HTTP becomes `busy`: the other jobs go on, and the client asks for this one again. */
export function toProblem(error: HttpError): Problem {
  if (error.code === undefined) return toProblem(busy(503, error.message, 5000))
  const { status, code, message, retryAfterMs } = error
  return { status, code, message, ...(retryAfterMs === undefined ? {} : { retryAfterMs }) }
}

export const toErrorControl = (error: HttpError, job?: string): ErrorControl => ({
  control: 'error',
  ...(job === undefined ? {} : { job }),
  ...toProblem(error)
})

/**
 * Headers of every response (PROTOCOL.md §8.7). `nosniff`: browsers take a body for nothing but its content type. `same-origin`: pages of other origins can't
 * embed it without CORS.
 */
export const SECURITY_HEADERS: Record<string, string> = { 'X-Content-Type-Options': 'nosniff', 'Cross-Origin-Resource-Policy': 'same-origin' }

const TITLES: Record<number, string> = {
  400: 'Bad Request',
  401: 'Unauthorized',
  403: 'Forbidden',
  404: 'Not Found',
  405: 'Method Not Allowed',
  408: 'Request Timeout',
  410: 'Gone',
  413: 'Content Too Large',
  422: 'Unprocessable Content',
  429: 'Too Many Requests',
  500: 'Internal Server Error',
  503: 'Service Unavailable'
}

/** The error as `application/problem+json` (RFC 9457). `Retry-After` is in seconds, rounded up. */
export function problemBody({ status, code, message, retryAfterMs, headers }: HttpError): { headers: Record<string, string>; body: string } {
  return {
    headers: {
      ...headers,
      'Content-Type': 'application/problem+json',
      ...(retryAfterMs === undefined ? {} : { 'Retry-After': String(Math.ceil(retryAfterMs / 1000)) })
    },
    body: JSON.stringify({ type: 'about:blank', title: TITLES[status] ?? 'Error', status, code, detail: message, retryAfterMs })
  }
}
