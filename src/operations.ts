/** Snapshot, start and cancel: the backend's single requests, repeated until they have a final answer. */

import { now } from './async/clock.ts'
import { delay, withTimeout } from './async/signals.ts'
import { codeOf, isJobtailError, isTransportError, JobtailError, messageOf, TransportError } from './errors.ts'
import { backoffMs } from './policy/backoff.ts'
import { isTransient } from './policy/race.ts'
import type { JobSnapshot } from './protocol/frames.ts'
import type { Backend, RequestContext, RetryOptions } from './types.ts'

/** What operations need. */
export interface OperationsOptions {
  /** Makes each request. */
  backend: Backend
  /** Gets the credentials, and returns what a request needs. */
  context(signal: AbortSignal): Promise<RequestContext>
  /** The pauses between tries, and how many tries there are. */
  retry: Required<RetryOptions>
  /** Whether the token source may give other credentials at a second call. */
  canReauthorize: boolean
  /** Called after each answer of the server. */
  onAnswer?(): void
}

/** The operations of a backend. Each rejects with `unsupported` where the backend does not have it. */
export interface Operations {
  /** Reads a job's current state. `once`: a failure is thrown instead of repeating the request. */
  snapshot(job: string, signal: AbortSignal, once?: boolean): Promise<JobSnapshot>
  /** Asks for a job's cancellation. */
  cancel(job: string, signal: AbortSignal): Promise<void>
  /** Starts a job. */
  start(input: unknown, idempotencyKey: string, signal: AbortSignal): Promise<{ id: string }>
}

type Name = keyof Operations

/** A try without an answer by then has failed. */
const REQUEST_MS = 30_000
/**
 * How long a 4xx is retried that does not come from the job server itself: the routers of a deployment answer 404 while their targets are
 * replaced.
 */
const DEPLOY_MS = 15_000
/** The same for a snapshot: its reader was connected just before, so the server is known to exist. As long as for links (`policy/race.ts`). */
const LIVE_DEPLOY_MS = 180_000

export function createOperations({ backend, context, retry, canReauthorize, onAnswer }: OperationsOptions): Operations {
  async function call<T>(name: Name, signal: AbortSignal, send: (request: RequestContext) => Promise<T> | undefined, once = false): Promise<T> {
    signal.throwIfAborted()
    if (!backend[name]) throw new JobtailError('unsupported', `${name}: this backend has no ${name}`)
    const startedAt = now()
    let hasReauthorized = false
    for (let failures = 1; ; failures++) {
      try {
        const answer = (await withTimeout(
          (attempt) => context(attempt).then(send),
          REQUEST_MS,
          signal,
          () => new TransportError('timeout', `no answer within ${REQUEST_MS} ms`)
        )) as T // as: `backend[name]` was checked above
        onAnswer?.()
        return answer
      } catch (cause) {
        signal.throwIfAborted()
        if (once) throw cause
        const isServerError = isJobtailError(cause)
        const { status = 0, retryAfterMs = 0 } = isServerError || isTransportError(cause) ? cause : {}
        const shouldReauthorize: boolean = status === 401 && canReauthorize && !hasReauthorized
        const isRetryable = shouldReauthorize || isTransient(status) || (status === 413 && retryAfterMs > 0)
        if (isServerError && !isRetryable) throw cause
        const isFinal = !isRetryable && isTransportError(cause) && isPermanent(name, cause, now() - startedAt)
        if (isFinal || (!isServerError && !shouldReauthorize && failures >= retry.attempts)) {
          const code = isFinal ? (status >= 400 ? codeOf(status) : 'protocol') : 'unreachable'
          throw new JobtailError(code, `${name}: ${messageOf(cause)} (attempt ${failures})`, { status: status || undefined, cause })
        }
        hasReauthorized = shouldReauthorize
        await delay(retryAfterMs + backoffMs(failures, retry, Math.random), signal)
      }
    }
  }

  return {
    snapshot: (job, signal, once) => call('snapshot', signal, (request) => backend.snapshot?.(request, job), once),
    cancel: (job, signal) => call('cancel', signal, (request) => backend.cancel?.(request, job)),
    start: (input, idempotencyKey, signal) => call('start', signal, (request) => backend.start?.(request, input, idempotencyKey))
  }
}

/**
 * Whether a repeated request would fail in the same way. A reader of a job has reached its server before, so a 4xx or an HTML page that it
 * gets more likely comes from an intermediary. But nobody in between knows a conflict with the job's state (RFC 9110 §15.5.10).
 */
function isPermanent(name: Name, { status = 0, reason }: TransportError, forMs: number): boolean {
  if (status >= 400)
    return name === 'start' || (name === 'cancel' && (status === 401 || status === 409)) || forMs >= (name === 'snapshot' ? LIVE_DEPLOY_MS : DEPLOY_MS)
  return reason === 'protocol' || (name !== 'snapshot' && (reason === 'content-type' || reason === 'redirected'))
}
