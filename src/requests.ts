/** Single requests to the server: start, cancel, snapshot. Each is repeated until it is answered for good. */

import { child, delay, orAborted } from './async/signals.ts'
import type { Credentials } from './credentials.ts'
import { codeOf, JobtailError, messageOf, saidBy, TransportError } from './errors.ts'
import { backoffMs } from './policy/backoff.ts'
import { isPassing } from './policy/race.ts'
import type { JobSnapshot } from './protocol/frames.ts'
import { parseSnapshot } from './protocol/parse.ts'
import { resourceUrl } from './protocol/urls.ts'
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

interface Call<T> {
  what: string
  url: URL
  signal: AbortSignal
  /** Its own headers. An answer's content type has to begin with what `accept` says. */
  own: { accept?: string; 'content-type'?: string; 'idempotency-key'?: string }
  init?: { method: 'POST'; body?: string }
  read(text: string): T
  once?: boolean
}

const JSON_TYPE = 'application/json'

/** A try that has brought no answer by then has failed. */
const REQUEST_MS = 30_000

export function createRequests({ request, retry, authorize, canReauthorize }: RequestsOptions): Requests {
  const { base, credentials, fetch } = request

  async function call<T>({ what, url, signal, own, init, read, once }: Call<T>): Promise<T> {
    signal.throwIfAborted()
    let reauthorized = false
    for (let failures = 1; ; failures++) {
      let floorMs = 0
      // Not AbortSignal.timeout(), whose timer nobody can take back.
      const limited = child(signal)
      const timer = setTimeout(() => limited.abort(new TransportError('timeout', `no answer within ${REQUEST_MS} ms`)), REQUEST_MS)
      try {
        const { token, headers } = await orAborted(authorize().catch(withhold), limited.signal)
        for (const [name, value] of Object.entries(own)) headers.set(name, value)
        if (token) headers.set('authorization', `Bearer ${token}`)
        const response = await fetch(url, { ...init, headers, credentials, signal: limited.signal, cache: 'no-store' })
        const error = await errorIn(response, own.accept ?? '')
        if (!error) return read(await response.text())

        const isNews: boolean = error.status === 401 && canReauthorize && !reauthorized
        if (once || !(isNews || isPassing(error.status))) throw saidBy(what, error)
        reauthorized = isNews
        floorMs = error.retryAfterMs ?? 0
      } catch (cause) {
        signal.throwIfAborted()
        if (once || cause instanceof JobtailError) throw cause
        const { status, reason } = cause instanceof TransportError ? cause : {}
        // Neither a 4xx that doesn't speak for the job nor an answer that says something else will go away by asking again. But whoever
        // asks for a snapshot has reached the server before: a page in its place is a captive portal's.
        const isFinal = status ? !isPassing(status) && (status >= 400 || init !== undefined) : reason === 'protocol'
        if (isFinal || failures >= retry.attempts) {
          const code = isFinal ? (status && status >= 400 ? codeOf(status) : 'protocol') : 'unreachable'
          throw new JobtailError(code, `${what}: ${messageOf(cause)} (${failures} attempts, ${url.origin})`, { status, cause })
        }
      } finally {
        clearTimeout(timer)
        limited.release()
      }
      await delay(floorMs + backoffMs(failures, retry, Math.random), signal)
    }
  }

  return {
    snapshot: (job, signal, once) =>
      call({ what: `snapshot of job ${job}`, url: resourceUrl(base, job), signal, own: { accept: JSON_TYPE }, read: parseSnapshot, once }),
    cancel: (job, signal) => call({ what: `cancel job ${job}`, url: resourceUrl(base, job, 'cancel'), signal, own: {}, init: { method: 'POST' }, read() {} }),
    async start(input, idempotencyKey, signal) {
      const own = { accept: JSON_TYPE, 'content-type': JSON_TYPE, 'idempotency-key': idempotencyKey }
      return call({ what: 'start a job', url: base, signal, own, init: { method: 'POST', body: jsonOf(input) }, read: parseSnapshot })
    }
  }
}

/** Throws in its place what doesn't quote it: there may be a token in what a token source throws. */
function withhold(thrown: unknown): never {
  if (thrown instanceof JobtailError) throw thrown
  throw new TransportError('network', `the token or header source threw ${thrown instanceof Error ? thrown.name : typeof thrown}`)
}

function jsonOf(input: unknown): string {
  try {
    return JSON.stringify(input) ?? 'null'
  } catch (cause) {
    throw new JobtailError('bad-request', `input of start: expected a JSON value (${messageOf(cause)})`, { cause })
  }
}
