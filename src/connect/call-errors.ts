/** What the error of a call means (PROTOCOL.md §§7, 9). */

import { Code, ConnectError } from '@connectrpc/connect'
import { type ErrorCode, type FailureReason, JobtailError, TransportError } from '../errors.ts'
import type { Problem } from '../protocol/frames.ts'
import { redactorOf } from '../transports/redact.ts'
import { retryAfterOf } from '../transports/retry-after.ts'
import type { RequestContext } from '../types.ts'
import { ProblemSchema } from './jobtail/v1/jobs_pb.ts'

/** Codes that no client and no intermediary makes of a failure of its own, so that they speak for the job also without a `Problem`. */
const SPOKEN: Partial<Record<Code, readonly [status: number, code: string]>> = {
  [Code.NotFound]: [404, 'unknown-job'],
  [Code.OutOfRange]: [410, 'history-gone'],
  [Code.DataLoss]: [410, 'history-gone']
}

/** What other codes say of the path. `Unknown`, `InvalidArgument` and `Internal` are what Connect makes of a connection or a body that broke off. */
const PATHS: Partial<Record<Code, readonly [reason: FailureReason, status?: number]>> = {
  [Code.Unauthenticated]: ['status', 401],
  [Code.PermissionDenied]: ['status', 403],
  [Code.Unimplemented]: ['unsupported'],
  [Code.ResourceExhausted]: ['status', 429],
  [Code.Unavailable]: ['status', 503],
  [Code.DeadlineExceeded]: ['timeout']
}

/** Returns the service's refusal. Throws where the path has failed, and the signal's reason after an abort. */
export function problemOf(caught: unknown, request: Pick<RequestContext, 'signal' | 'token' | 'headers'>): Problem {
  request.signal.throwIfAborted()
  const error = ConnectError.from(caught)
  if (error.cause instanceof TransportError) throw error.cause
  const redact = redactorOf(request)
  const [said] = error.findDetails(ProblemSchema)
  const message = redact(said?.message || error.rawMessage)
  if (said) {
    const retryAfterMs = Number(said.retryAfterMs) || retryAfterOf(error.metadata)
    return { status: said.status, code: redact(said.code), message, ...(retryAfterMs !== undefined && { retryAfterMs }) }
  }
  const spoken = SPOKEN[error.code]
  if (spoken) return { status: spoken[0], code: spoken[1], message }
  const [reason, status] = PATHS[error.code] ?? ['cut']
  throw new TransportError(reason, message, { status, retryAfterMs: retryAfterOf(error.metadata), cause: error })
}

const CODES: Partial<Record<number, ErrorCode>> = { 401: 'unauthorized', 403: 'forbidden', 404: 'unknown-job', 405: 'unsupported', 410: 'history-gone' }

/** A refusal as an error for the application. */
export const refusalOf = (subject: string, { status, code, message, retryAfterMs }: Problem): JobtailError =>
  new JobtailError(CODES[status] ?? 'bad-request', `${subject}: the server said ${status} ${code}: ${message}`, { status, retryAfterMs })
