import type { ErrorControl, Problem } from '../protocol/frames.ts'
import { logErrorCode } from './log/types.ts'

interface RefusalOptions {
  retryAfterMs?: number
  headers?: Record<string, string>
}

/** A request, or one job's reading, that is refused. Without a `code` it doesn't speak for the job (PROTOCOL.md §7). */
export class HttpError extends Error {
  readonly status: number
  readonly code: string | undefined
  readonly retryAfterMs: number | undefined
  readonly headers: Record<string, string>

  constructor(status: number, code: string | undefined, message: string, { retryAfterMs, headers = {} }: RefusalOptions = {}) {
    super(message)
    this.status = status
    this.code = code
    this.retryAfterMs = retryAfterMs
    this.headers = headers
  }
}

export const badRequest = (message: string, status = 400): HttpError => new HttpError(status, 'bad-request', message)
export const tooLarge = (maxBytes: number): HttpError => badRequest(`body: expected at most ${maxBytes} bytes`, 413)
export const unauthorized = (): HttpError => new HttpError(401, 'unauthorized', 'valid credentials are needed', { headers: { 'WWW-Authenticate': 'Bearer' } })
export const forbidden = (message = 'not allowed'): HttpError => new HttpError(403, 'forbidden', message)
export const unknownJob = (): HttpError => new HttpError(404, 'unknown-job', 'no such job')
export const historyGone = (): HttpError => new HttpError(410, 'history-gone', 'the job and its log are gone')
export const busy = (status: 429 | 503, message: string, retryAfterMs: number): HttpError => new HttpError(status, 'busy', message, { retryAfterMs })
export const closing = (): HttpError => busy(503, 'the server is closing', 1000)
/** For a log that is out of reach for now. */
export const unavailable = (): HttpError => busy(503, 'the log is out of reach', 2000)
export const internal = (): HttpError => new HttpError(500, undefined, 'the request could not be handled')
export const notFound = (): HttpError => new HttpError(404, undefined, 'nothing is served here')
export const methodNotAllowed = (allow: string): HttpError => new HttpError(405, undefined, `expected ${allow}`, { headers: { Allow: allow } })

/** What a reader is told where the log has thrown; anything unforeseen is the server's own failure. */
export function refusalOfLog(error: unknown): HttpError {
  switch (logErrorCode(error)) {
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

/** For one job among several: where HTTP would answer 500, `busy`, so that the others go on and this one is asked for again. */
export function asProblem(refusal: HttpError): Problem {
  if (refusal.code === undefined) return asProblem(busy(503, refusal.message, 5000))
  const { status, code, message, retryAfterMs } = refusal
  return { status, code, message, ...(retryAfterMs === undefined ? {} : { retryAfterMs }) }
}

export const asControl = (refusal: HttpError, job?: string): ErrorControl => ({
  control: 'error',
  ...(job === undefined ? {} : { job }),
  ...asProblem(refusal)
})

/** Of every answer: a browser takes it for nothing else, and shows it to no page of another origin that hasn't asked by CORS. */
export const SAFE: Record<string, string> = { 'X-Content-Type-Options': 'nosniff', 'Cross-Origin-Resource-Policy': 'same-origin' }

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

/** RFC 9457; `Retry-After` in seconds, rounded up. */
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
