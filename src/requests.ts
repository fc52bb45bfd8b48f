/** Single requests to the server: start, cancel, snapshot. Each is repeated until it is answered for good. */

import { child, delay, orAborted } from './async/signals.ts'
import type { Credentials } from './credentials.ts'
import { codeOf, JobtailError, messageOf, saidBy, TransportError } from './errors.ts'
import { backoffMs } from './policy/backoff.ts'
import { isPassing } from './policy/next.ts'
import { verdict } from './policy/verdict.ts'
import type { JobSnapshot } from './protocol/frames.ts'
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
  signal: AbortSignal
  /** How the content type of its answer has to begin. Default: JSON. */
  accept?: string
  method?: string
  own?: Record<string, string>
  body?: string | null
}

/** A try that has brought no answer by then has failed. */
const REQUEST_MS = 30_000

export function createRequests({ request, retry, authorize, canReauthorize }: RequestsOptions): Requests {
  const { base, credentials, fetch } = request

  async function call({ what, url, signal, accept = 'application/json', method = 'GET', own, body = null }: Call, once = false): Promise<string> {
    let reauthorized = false
    for (let failures = 1; ; failures++) {
      let floorMs = 0
      // Not AbortSignal.timeout(), whose timer nobody can take back.
      const limited = child(signal)
      const timer = setTimeout(() => limited.abort(new TransportError('timeout', `no answer within ${REQUEST_MS} ms`)), REQUEST_MS)
      try {
        const { token, headers } = await orAborted(authorize(), limited.signal)
        headers.set('accept', accept || '*/*')
        if (token) headers.set('authorization', `Bearer ${token}`)
        for (const name in own) headers.set(name, own[name] ?? '')
        const response = await fetch(url, { method, headers, credentials, body, signal: limited.signal, cache: 'no-store' })
        const error = await errorIn(response, accept)
        if (!error) return await response.text()

        const { do: decision } = verdict(error.status, false)
        const mayAskAgain = decision === 'wait' || (decision === 'reauthorize' && canReauthorize && !reauthorized)
        if (once || !mayAskAgain) throw saidBy(what, error)
        reauthorized = decision === 'reauthorize'
        floorMs = error.retryAfterMs ?? 0
      } catch (cause) {
        signal.throwIfAborted()
        if (once || cause instanceof JobtailError) throw cause
        const { status } = cause instanceof TransportError ? cause : { status: undefined }
        // A 4xx that doesn't speak for the job won't go away by asking again.
        if (status && !isPassing(status)) throw new JobtailError(status < 400 ? 'protocol' : codeOf(status), `${what}: ${messageOf(cause)}`, { status, cause })
        if (failures >= retry.attempts)
          throw new JobtailError('unreachable', `${what}: ${messageOf(cause)} (${failures} attempts, ${url.origin})`, { status, cause })
      } finally {
        clearTimeout(timer)
        limited.release()
      }
      await delay(floorMs + backoffMs(failures, retry, Math.random), signal)
    }
  }

  function read<T>(what: string, parse: () => T): T {
    try {
      return parse()
    } catch (cause) {
      throw new JobtailError('protocol', `${what}: ${messageOf(cause)}`, { cause })
    }
  }

  return {
    async snapshot(job, signal, once) {
      const what = `snapshot of job ${job}`
      const text = await call({ what, url: jobUrl(base, job), signal }, once)
      return read(what, () => parseSnapshot(text))
    },
    async cancel(job, signal) {
      await call({ what: `cancel job ${job}`, url: cancelUrl(base, job), signal, method: 'POST', accept: '' })
    },
    async start(input, idempotencyKey, signal) {
      const what = 'start a job'
      const own = { 'content-type': 'application/json', 'idempotency-key': idempotencyKey }
      const text = await call({ what, url: base, signal, method: 'POST', own, body: jsonOf(input) })
      return read(what, () => parseSnapshot(text))
    }
  }
}

function jsonOf(input: unknown): string {
  try {
    return JSON.stringify(input) ?? 'null'
  } catch (cause) {
    throw new JobtailError('bad-request', `input of start: expected a JSON value (${messageOf(cause)})`, { cause })
  }
}
