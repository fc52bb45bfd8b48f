/** Single requests to the server: start, cancel, snapshot. Each is repeated until it is answered for good. */

import { child, delay, orAborted } from './async/signals.ts'
import type { Credentials } from './credentials.ts'
import { type ErrorCode, JobtailError, TransportError } from './errors.ts'
import { backoffMs } from './policy/backoff.ts'
import { verdict } from './policy/verdict.ts'
import type { ErrorControl, JobSnapshot } from './protocol/frames.ts'
import { parseSnapshot } from './protocol/parse.ts'
import { cancelUrl, jobUrl } from './protocol/urls.ts'
import { errorIn } from './transports/http.ts'
import type { OpenRequest, RetryOptions } from './types.ts'

export interface RequestsOptions {
  request: Pick<OpenRequest, 'base' | 'credentials' | 'fetch'>
  retry: Required<RetryOptions>
  authorize(): Promise<Credentials>
  canReauthorize: boolean
}

export interface Requests {
  /** `once`: a failure is thrown, not tried again. */
  snapshot(job: string, signal: AbortSignal, once: boolean): Promise<JobSnapshot>
  cancel(job: string, signal: AbortSignal): Promise<void>
  start(input: unknown, idempotencyKey: string, signal: AbortSignal): Promise<JobSnapshot>
}

interface Call {
  what: string
  url: URL
  method: 'GET' | 'POST'
  /** How the content type of its answer has to begin. Default: JSON. */
  accept?: string
  headers?: Record<string, string>
  body?: string
}

const CODES: Readonly<Record<number, ErrorCode>> = { 401: 'unauthorized', 403: 'forbidden', 404: 'unknown-job', 410: 'history-gone' }

/** A try that has brought no answer by then has failed. */
const REQUEST_MS = 30_000

const said = ({ what }: Call, { status, code, message }: ErrorControl): JobtailError =>
  new JobtailError(CODES[status] ?? 'bad-request', `${what}: the server said ${status} ${code}${message ? `: ${message}` : ''}`, { status })

function snapshotIn({ what }: Call, text: string): JobSnapshot {
  try {
    return parseSnapshot(text)
  } catch (cause) {
    throw new JobtailError('protocol', `${what}: ${cause instanceof Error ? cause.message : cause}`, { cause })
  }
}

/** Aborts with the outer signal, or after `ms`. */
function timeLimit(ms: number, outer: AbortSignal): { signal: AbortSignal; release(): void } {
  const controller = child(outer)
  const timer = setTimeout(() => controller.abort(new TransportError('timeout', `no answer within ${ms} ms`)), ms)
  return {
    signal: controller.signal,
    release() {
      clearTimeout(timer)
      controller.release()
    }
  }
}

function jsonOf(input: unknown): string {
  try {
    return JSON.stringify(input) ?? 'null'
  } catch (cause) {
    throw new JobtailError('bad-request', `input of start: expected a JSON value (${cause instanceof Error ? cause.message : cause})`, { cause })
  }
}

export function createRequests({ request, retry, authorize, canReauthorize }: RequestsOptions): Requests {
  const { base, credentials, fetch } = request

  /** One try, bounded in time. */
  async function send(call: Call, outer: AbortSignal): Promise<string | ErrorControl> {
    const { signal, ...limit } = timeLimit(REQUEST_MS, outer)
    try {
      return await exchange(call, signal)
    } finally {
      limit.release()
    }
  }

  async function exchange({ url, method, accept = 'application/json', headers: own, body }: Call, signal: AbortSignal): Promise<string | ErrorControl> {
    const { token, headers: given } = await orAborted(authorize(), signal)
    const headers = new Headers(given)
    headers.set('accept', accept || '*/*')
    if (token !== undefined) headers.set('authorization', `Bearer ${token}`)
    for (const [name, value] of Object.entries(own ?? {})) headers.set(name, value)
    const response = await fetch(url, { method, headers, credentials, signal, cache: 'no-store', ...(body === undefined ? {} : { body }) })
    return (await errorIn(response, accept)) ?? (await response.text())
  }

  /** The error's meaning: how long to wait before the next try, or a throw. */
  function refused(call: Call, error: ErrorControl, reauthorized: boolean): number {
    const { do: decision } = verdict(error.status, false)
    if (decision === 'wait') return error.retryAfterMs ?? retry.baseMs
    if (decision === 'reauthorize' && canReauthorize && !reauthorized) return 0
    throw said(call, error)
  }

  /** A path that failed is tried again, but for a 4xx that says nothing of the job. */
  function broken({ what, url }: Call, error: unknown, failures: number): void {
    const status = error instanceof TransportError ? error.status : undefined
    const message = `${what}: ${error instanceof Error ? error.message : error}`
    if (status !== undefined && status < 500 && status !== 408 && status !== 429)
      throw new JobtailError(CODES[status] ?? 'protocol', message, { status, cause: error })
    if (failures >= retry.attempts) throw new JobtailError('unreachable', `${message} (${failures} attempts, ${url.origin})`, { status, cause: error })
  }

  async function call(one: Call, signal: AbortSignal): Promise<string> {
    let reauthorized = false
    for (let failures = 0; ; ) {
      let floorMs = 0
      try {
        const answer = await send(one, signal)
        if (typeof answer === 'string') return answer
        floorMs = refused(one, answer, reauthorized)
        reauthorized ||= answer.status === 401
      } catch (error) {
        signal.throwIfAborted()
        if (error instanceof JobtailError) throw error
        failures += 1
        broken(one, error, failures)
      }
      await delay(floorMs + (failures > 0 || floorMs > 0 ? backoffMs(failures, retry, Math.random) : 0), signal)
    }
  }

  return {
    async snapshot(job, signal, once) {
      const one: Call = { what: `snapshot of job ${job}`, url: jobUrl(base, job), method: 'GET' }
      const answer = once ? await send(one, signal) : await call(one, signal)
      if (typeof answer !== 'string') throw said(one, answer)
      return snapshotIn(one, answer)
    },
    async cancel(job, signal) {
      await call({ what: `cancel job ${job}`, url: cancelUrl(base, job), method: 'POST', accept: '' }, signal)
    },
    async start(input, idempotencyKey, signal) {
      const body = jsonOf(input)
      const headers = { 'content-type': 'application/json', 'idempotency-key': idempotencyKey }
      const one: Call = { what: 'start a job', url: new URL(base), method: 'POST', headers, body }
      return snapshotIn(one, await call(one, signal))
    }
  }
}
