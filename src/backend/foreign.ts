/** What the backends for other servers have in common: the application's requests, and refusals. */

import { isJobtailError, JobtailError, TransportError } from '../errors.ts'
import type { ErrorControl } from '../protocol/frames.ts'
import { TAIL } from '../protocol/rules.ts'
import { type Answer, fetchReading } from '../transports/http.ts'
import type { Batch, OpenRequest, RequestContext } from '../types.ts'

/** A request as the application describes it. */
export interface ForeignRequest {
  /**
   * The URL, relative to the client's `url`.
   * @defaultValue the client's `url`
   */
  url?: string | URL | undefined
  /**
   * The method.
   * @defaultValue GET; POST where there is a body
   */
  method?: 'POST' | 'PUT' | 'PATCH' | 'DELETE' | undefined
  /** The body. A string, a `URLSearchParams`, a `FormData` or a `Blob` is sent as it is, anything else as JSON. */
  body?: unknown
  /** Headers beside those of the client. */
  headers?: Record<string, string> | undefined
}

/** What a `RequestHook` is given beside the job. */
export interface RequestHookContext {
  /** The client's `url`. */
  base: URL
  /** The server's own cursor to read after; `undefined` at the beginning. */
  cursor?: string | undefined
  /** Whether only new events are wanted: `after: 'tail'`. */
  isTail?: boolean | undefined
  /** The response before, where a reading makes one request after another. */
  last?: Response | undefined
}

/** Makes the request for a job: a URL, or a whole request. It is called anew for each request, so that it can read a cookie when it counts. */
export type RequestHook = (job: string, asked: RequestHookContext) => ForeignRequest | string | URL | Promise<ForeignRequest | string | URL>

/** The URL with these segments added to its path, and these parameters to its own. */
export function pathOf(base: URL, path: readonly string[], parameters: Record<string, string> = {}): URL {
  const url = new URL(base)
  url.pathname = [base.pathname.replace(/\/+$/, ''), ...path].join('/')
  for (const name in parameters) url.searchParams.set(name, parameters[name] as string) // as: `name` is one of its own
  return url
}

/** Whether a job id is a URL itself. */
export const isAddress = (job: string): boolean => /^(https?:\/)?\//.test(job)

/**
 * The URL of a job, `{url}/{id}`. An id that is a URL itself, such as the `Location` that a start was answered, is requested as it is.
 * @throws JobtailError `bad-request` where that URL is of another origin: it would be sent the client's credentials
 */
export function addressOf(job: string, base: URL, ...path: string[]): URL {
  if (!isAddress(job)) return pathOf(base, [encodeURIComponent(job), ...path])
  const url = new URL(job, base)
  if (url.origin !== base.origin) throw new JobtailError('bad-request', `job id: expected an address of ${base.origin}, got one of ${url.origin}`)
  return url
}

/** A hook's request with an absolute URL. */
export function requestOf(given: ForeignRequest | string | URL, base: URL): ForeignRequest & { url: URL } {
  const request = typeof given === 'string' || given instanceof URL ? { url: given } : given
  return { ...request, url: new URL(request.url ?? base, base) }
}

/**
 * Makes a request. `headers` are the backend's own. With `job`, a 404 or 410 speaks for that job, whatever its body says. A 404 of a job
 * that `isKnown` is a failure of the path: the job was read before, so a router in the middle of a deploy is more likely.
 */
export async function sendRequest(
  context: RequestContext,
  given: ForeignRequest | string | URL,
  job: string | undefined,
  { headers, accept, isKnown }: { headers?: Record<string, string>; accept?: string; isKnown?: boolean } = {}
): Promise<Answer | ErrorControl> {
  const { url, method, body, headers: own } = requestOf(given, context.base)
  // `fetch` names the type of these itself.
  const isReady = typeof body === 'string' || body instanceof URLSearchParams || body instanceof FormData || body instanceof Blob
  try {
    return await fetchReading(context, {
      url,
      ...(accept && { accept }),
      ...((method || body !== undefined) && { method: method ?? 'POST' }),
      ...(body !== undefined && { body: isReady ? body : JSON.stringify(body) }),
      headers: { ...(body !== undefined && !isReady && { 'content-type': 'application/json' }), ...headers, ...own }
    })
  } catch (error) {
    const { status, message } = error as TransportError // as: a thrown value of another kind has neither field
    if (job === undefined || (status !== 410 && (status !== 404 || isKnown))) throw error
    return { control: 'error', job, status, code: status === 404 ? 'unknown-job' : 'history-gone', message }
  }
}

/**
 * Yields the frames of a reading. A `JobtailError`, thrown where a request cannot be made, becomes the job's refusal instead of a failure
 * of the path.
 */
export async function* withRefusals({ jobs: [asked] }: OpenRequest, frames: AsyncGenerator<Batch, void>): AsyncGenerator<Batch, void> {
  try {
    yield* frames
  } catch (error) {
    if (!asked || !isJobtailError(error)) throw error
    yield [{ control: 'error', job: asked.job, status: error.status ?? 400, code: error.code, message: error.message }]
  }
}

/** The whole body. */
export async function textOf({ chunks }: Answer): Promise<string> {
  let text = ''
  for await (const chunk of chunks) text += chunk
  return text
}

/** The value of the header `Last-Event-ID`. An event source encodes it as UTF-8 (WHATWG HTML §9.2.4). */
export const lastEventId = (cursor: string): string => String.fromCharCode(...new TextEncoder().encode(cursor))

/** The `expected` method of these backends, for cursors of this form. `takesTail`: new events alone can be requested. */
export const expectedOf =
  (cursor: RegExp, takesTail = true) =>
  (what: 'job id' | 'after', value: unknown): string | undefined => {
    if (what === 'after')
      return typeof value === 'string' && cursor.test(value) && (takesTail || value !== TAIL)
        ? undefined
        : `the id of an event of this backend${takesTail ? ', or "tail"' : ''}`
    return typeof value === 'string' && !/^\.{0,2}$/.test(value) ? undefined : 'a string other than "", ".", ".."'
  }

/** The error for a refused request that is not a reading. */
export const refusalError = (what: string, { status, message }: ErrorControl): TransportError | JobtailError =>
  status === 404 || status === 410
    ? new JobtailError(status === 404 ? 'unknown-job' : 'history-gone', `${what}: ${message}`, { status })
    : new TransportError('status', message, { status })
