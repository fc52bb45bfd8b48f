/** Requests and answers of the transports that use fetch (PROTOCOL.md §§2, 7, 8.5). */

import { TransportError } from '../errors.ts'
import type { Control, ErrorControl } from '../protocol/frames.ts'
import { parseError } from '../protocol/parse.ts'
import { TAIL } from '../protocol/rules.ts'
import { eventsUrl, single } from '../protocol/urls.ts'
import type { OpenRequest } from '../types.ts'
import { place } from './link.ts'

/**
 * Asks for the jobs' events, as the transport `via`, in one content type; the server may hold the answer for `waitS` seconds. What comes is that answer, or
 * a control that is all there is to say. Throws where the path has failed.
 */
export async function ask(request: OpenRequest, via: string, accept: string, waitS = 0): Promise<Response | Control> {
  const { url, ...init } = addressOf(request, via, accept, waitS)
  const { fetch, jobs } = request // a method of the request otherwise: browsers refuse to run it with another `this`
  let response: Response
  try {
    response = await fetch(url, init)
  } catch (cause) {
    request.signal.throwIfAborted()
    throw new TransportError('network', `${place(url)} gave no answer (network, CORS or mixed content)`, { cause })
  }
  const only = single(jobs)
  if (only && response.status === 204) return { control: 'done', job: only.job, cursor: only.after ?? TAIL }
  return (await errorIn(response, accept)) ?? response
}

/**
 * Where the cursor and the wait go. Across origins nothing may need a preflight; where a token or other headers need one anyway, a constant URL and the
 * default cache mode keep it to one, since browsers remember it by URL and skip it for no-store (PROTOCOL.md §8.5).
 */
function addressOf(request: OpenRequest, via: string, accept: string, waitS: number): RequestInit & { url: URL } {
  const { base, jobs, token, credentials, signal } = request
  const headers = new Headers(request.headers)
  const isForeign = base.origin !== (globalThis.location?.origin ?? base.origin)
  /** The job whose position can be told by headers. */
  const only = !isForeign || token || [...headers].length > 0 ? single(jobs) : undefined
  const isConstant = only && isForeign
  const cursor = only?.after !== TAIL && only?.after

  const url = eventsUrl(base, only && cursor ? [{ job: only.job }] : jobs)
  headers.set('accept', accept)
  if (cursor) headers.set('last-event-id', cursor)
  if (isConstant) url.searchParams.append('via', via)
  if (waitS && isConstant) headers.set('prefer', `wait=${waitS}`)
  else if (waitS) url.searchParams.append('wait', `${waitS}`)
  try {
    if (token) headers.set('authorization', `Bearer ${token}`)
  } catch {
    // Without its cause, which quotes the value.
    throw new TransportError('unsupported', 'the token has characters that a header cannot carry')
  }
  return { url, headers, credentials, signal, cache: isConstant ? 'default' : 'no-store' }
}

/** Nothing where the answer is what was asked for; a frame where it is an error that speaks for the job; throws where it is the path's own failure. */
export async function errorIn(response: Response, accept: string): Promise<ErrorControl | undefined> {
  const { status, headers, redirected, url, body } = response
  const type = (headers.get('content-type') ?? 'no content type').toLowerCase()
  if (response.ok && type.startsWith(accept)) return
  if (type.startsWith('application/problem+json'))
    try {
      const { detail, title, ...problem } = await response.json()
      return parseError({ message: detail ?? title, retryAfterMs: retryAfterMs(headers.get('retry-after')), ...problem, status })
    } catch {
      // not the protocol's: somebody else's, or a body that broke
    }
  // What nobody reads holds its connection.
  body?.cancel().catch(() => {})
  const message = `${place(url)}${redirected ? ' (redirected)' : ''}: ${status}, ${type}, not ${accept}`
  throw new TransportError(status === 200 ? 'content-type' : 'status', message, { status })
}

/** `Retry-After` is seconds or a date (RFC 9110, 10.2.3). */
function retryAfterMs(value: string | null): number | undefined {
  const ms = Number(value) * 1000 || Date.parse(value ?? '') - Date.now()
  return ms > 0 ? Math.ceil(ms) : undefined
}

/** The body as text, in pieces as they arrive. Throws `cut` where it breaks; leaving early cancels it. */
export async function* chunksOf({ body, url }: Response, signal: AbortSignal): AsyncGenerator<string, void> {
  // Not `for await (… of body)`: WebKit's streams have no async iterator.
  const reader = body?.getReader()
  const decoder = new TextDecoder()
  try {
    for (;;) {
      const { done, value } = (await reader?.read()) ?? { done: true }
      if (done) return
      yield decoder.decode(value, { stream: true })
    }
  } catch (cause) {
    signal.throwIfAborted()
    throw new TransportError('cut', `${place(url)} broke off`, { cause })
  } finally {
    reader?.cancel().catch(() => {}) // it may have broken already
  }
}
