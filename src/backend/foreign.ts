/** What the backends of other people's servers share: requests as the application words them, and refusals. */

import { isJobtailError, JobtailError, TransportError } from '../errors.ts'
import type { ErrorControl } from '../protocol/frames.ts'
import { type Answer, fetchReading } from '../transports/http.ts'
import type { Batch, OpenRequest, RequestContext } from '../types.ts'

/** A request as an application words it: where, and what else than a GET of it. */
export interface ForeignRequest {
  /** Relative to the client's `url`. */
  url?: string | URL | undefined
  /** @defaultValue GET, or POST where there is a body */
  method?: 'POST' | 'PUT' | undefined
  /** A string or a form as it is; anything else as JSON. */
  body?: unknown
  headers?: Record<string, string> | undefined
}

/** What a hook is told of a request. */
export interface Asked {
  /** The client's `url`. */
  base: URL
  /** The server's own cursor to go on from; undefined at the beginning. */
  cursor?: string | undefined
  /** Only what comes next is asked for: `after: 'tail'`. */
  isTail?: boolean | undefined
  /** The answer before, where a reading asks again and again. */
  last?: Response | undefined
}

/** What to ask for a job: an address, or a whole request. Called for each request anew, so that a cookie is read when it counts. */
export type RequestHook = (job: string, asked: Asked) => ForeignRequest | string | URL | Promise<ForeignRequest | string | URL>

/**
 * `{url}/{id}`; an id that is an address is asked for as it is, which has to be of the same origin: what a start has answered as `Location`.
 * @throws JobtailError `bad-request` for one of another origin: it would be given the client's credentials
 */
export function addressOf(job: string, base: URL, ...path: string[]): URL {
  if (!/^(https?:\/)?\//.test(job)) {
    const url = new URL(base)
    url.pathname = [base.pathname.replace(/\/+$/, ''), encodeURIComponent(job), ...path].join('/')
    return url
  }
  const url = new URL(job, base)
  if (url.origin !== base.origin) throw new JobtailError('bad-request', `job id: expected an address of ${base.origin}, got one of ${url.origin}`)
  return url
}

/** The request, whichever way it was worded, with its whole address. */
export function wordedOf(worded: ForeignRequest | string | URL, base: URL): ForeignRequest & { url: URL } {
  const request = typeof worded === 'string' || worded instanceof URL ? { url: worded } : worded
  return { ...request, url: new URL(request.url ?? base, base) }
}

/**
 * Makes the request. `headers` are what the backend adds. `job`: a 404 or a 410 speaks of it, whoever words it; without, it is the path's own failure, as to
 * whoever has read the job before: there it is more likely a router's, in the middle of a deploy.
 */
export async function ask(
  context: RequestContext,
  worded: ForeignRequest | string | URL,
  job: string | undefined,
  { headers, accept }: { headers?: Record<string, string>; accept?: string } = {}
): Promise<Answer | ErrorControl> {
  const { url, method, body, headers: own } = wordedOf(worded, context.base)
  const isText = typeof body === 'string'
  const isForm = body instanceof URLSearchParams
  const type = isForm ? 'application/x-www-form-urlencoded' : isText || body === undefined ? undefined : 'application/json'
  try {
    return await fetchReading(context, {
      url,
      ...(accept && { accept }),
      ...((method || body !== undefined) && { method: method ?? 'POST' }),
      ...(body !== undefined && { body: isText || isForm ? `${body}` : JSON.stringify(body) }),
      headers: { ...(type && { 'content-type': type }), ...headers, ...own }
    })
  } catch (error) {
    const { status, message } = error as TransportError // as: whatever was thrown can be asked for them
    if (job === undefined || (status !== 404 && status !== 410)) throw error
    return { control: 'error', job, status, code: status === 404 ? 'unknown-job' : 'history-gone', message }
  }
}

/** A request that can't be made, since a `JobtailError` was thrown for it, is the end of the job's reading and no failure of the path's. */
export async function* orRefused({ jobs: [asked] }: OpenRequest, frames: AsyncGenerator<Batch, void>): AsyncGenerator<Batch, void> {
  try {
    yield* frames
  } catch (error) {
    if (!asked || !isJobtailError(error)) throw error
    yield [{ control: 'error', job: asked.job, status: error.status ?? 400, code: error.code, message: error.message }]
  }
}

/** The header that an event source would send: its bytes are UTF-8 (WHATWG HTML §9.2.5). */
export const lastEventId = (cursor: string): string => String.fromCharCode(...new TextEncoder().encode(cursor))

/** What an id, or an `after`, of such a backend has to be. */
export const expectedOf =
  (cursor: RegExp) =>
  (what: 'job id' | 'after', value: unknown): string | undefined => {
    if (what === 'after') return typeof value === 'string' && cursor.test(value) ? undefined : 'the id of an event of this backend, or "tail"'
    return typeof value === 'string' && !/^\.{0,2}$/.test(value) ? undefined : 'a string other than "", ".", ".."'
  }

/** The server's refusal of a request that is no reading. */
export const refusal = (what: string, { status, message }: ErrorControl): TransportError | JobtailError =>
  status === 404 || status === 410
    ? new JobtailError(status === 404 ? 'unknown-job' : 'history-gone', `${what}: ${message}`, { status })
    : new TransportError('status', message, { status })
