/** Snapshot, start and cancel: the backend's single requests, repeated until they are answered for good. */

import { now } from './async/clock.ts'
import { child, delay, orAborted } from './async/signals.ts'
import { codeOf, isJobtailError, isTransportError, JobtailError, messageOf, TransportError } from './errors.ts'
import { backoffMs } from './policy/backoff.ts'
import { isPassing } from './policy/race.ts'
import type { JobSnapshot } from './protocol/frames.ts'
import type { Backend, RequestContext, RetryOptions } from './types.ts'

export interface OperationsOptions {
  backend: Backend
  /** What a request carries; asks for the credentials. */
  context(signal: AbortSignal): Promise<RequestContext>
  retry: Required<RetryOptions>
  /** Whether the credentials may be others when they are asked for again. */
  canReauthorize: boolean
}

/** Each rejects with `unsupported` where the backend has no such thing. */
export interface Operations {
  /** `once`: a failure is thrown, not tried again. */
  snapshot(job: string, signal: AbortSignal, once?: boolean): Promise<JobSnapshot>
  cancel(job: string, signal: AbortSignal): Promise<void>
  start(input: unknown, idempotencyKey: string, signal: AbortSignal): Promise<{ id: string }>
}

type Name = keyof Operations

/** A try that has brought no answer by then has failed. */
const REQUEST_MS = 30_000
/** For so long a 4xx that doesn't speak for the job, to whoever has read the job, may be a router's in the middle of a deploy. */
const DEPLOY_MS = 15_000
/** Who is told that a job has ended has been live: as long as for links. */
const LIVE_DEPLOY_MS = 180_000

export function createOperations({ backend, context, retry, canReauthorize }: OperationsOptions): Operations {
  async function call<T>(name: Name, signal: AbortSignal, ask: (request: RequestContext) => Promise<T> | undefined, once = false): Promise<T> {
    signal.throwIfAborted()
    if (!backend[name]) throw new JobtailError('unsupported', `${name}: this backend has no such thing`)
    const startedAt = now()
    let hasReauthorized = false
    for (let failures = 1; ; failures++) {
      let pauseMs = 0
      // Not AbortSignal.timeout(), whose timer nobody can take back.
      const limited = child(signal)
      const timer = setTimeout(() => limited.abort(new TransportError('timeout', `no answer within ${REQUEST_MS} ms`)), REQUEST_MS)
      try {
        return (await orAborted(context(limited.signal).catch(withhold).then(ask), limited.signal)) as T // as: the method is there
      } catch (cause) {
        signal.throwIfAborted()
        if (once) throw cause
        const isSaid = isJobtailError(cause)
        const { status = 0, retryAfterMs = 0 } = isSaid || isTransportError(cause) ? cause : {}
        const isNews: boolean = status === 401 && canReauthorize && !hasReauthorized
        const mayPass = isNews || isPassing(status) || (status === 413 && retryAfterMs > 0)
        if (isSaid && !mayPass) throw cause
        const isFinal = !mayPass && isTransportError(cause) && willStay(name, cause, now() - startedAt)
        if (isFinal || (!isSaid && !isNews && failures >= retry.attempts)) {
          const code = isFinal ? (status >= 400 ? codeOf(status) : 'protocol') : 'unreachable'
          throw new JobtailError(code, `${name}: ${messageOf(cause)} (attempt ${failures})`, { status: status || undefined, cause })
        }
        hasReauthorized = isNews
        pauseMs = retryAfterMs
      } finally {
        clearTimeout(timer)
        limited.release()
      }
      await delay(pauseMs + backoffMs(failures, retry, Math.random), signal)
    }
  }

  return {
    snapshot: (job, signal, once) => call('snapshot', signal, (request) => backend.snapshot?.(request, job), once),
    cancel: (job, signal) => call('cancel', signal, (request) => backend.cancel?.(request, job)),
    start: (input, idempotencyKey, signal) => call('start', signal, (request) => backend.start?.(request, input, idempotencyKey))
  }
}

/** Whether a failure of the path won't go away by asking again. Whoever asks about a job has reached the server before: a 4xx, or a page, is more likely somebody's in between. */
function willStay(name: Name, { status = 0, reason }: TransportError, forMs: number): boolean {
  if (status >= 400) return name === 'start' || (status === 401 && name === 'cancel') || forMs >= (name === 'snapshot' ? LIVE_DEPLOY_MS : DEPLOY_MS)
  return reason === 'protocol' || (name !== 'snapshot' && (reason === 'content-type' || reason === 'redirected'))
}

/** Throws in its place what doesn't quote it: there may be a token in what a token source throws. */
function withhold(thrown: unknown): never {
  if (isJobtailError(thrown)) throw thrown
  throw new TransportError('network', `the token or header source threw ${thrown instanceof Error ? thrown.name : typeof thrown}`)
}
