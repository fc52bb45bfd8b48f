/** Requests and answers of the transports that use fetch (PROTOCOL.md §§2, 7, 8.5). */

import { TransportError } from '../errors.ts'
import type { ErrorControl } from '../protocol/frames.ts'
import { parseError } from '../protocol/parse.ts'
import { TAIL } from '../protocol/rules.ts'
import { eventsUrl } from '../protocol/urls.ts'
import type { OpenRequest } from '../types.ts'
import { place } from './link.ts'

/** What a reading is to be: `via` is the transport's name, `accept` the content type, `waitS` how long the server may hold the answer (0: not at all). */
export type Reading = Pick<OpenRequest, 'jobs'> & { via: string; accept: string; waitS: number }

/**
 * Sends the request; throws `network` where there was no answer. Across origins nothing may need a preflight; where a token or other headers need one
 * anyway, a constant URL and the default cache mode keep it to one, since browsers remember it by URL and skip it for no-store (PROTOCOL.md §8.5).
 */
export async function ask(request: OpenRequest, { jobs, via, accept, waitS }: Reading, signal: AbortSignal): Promise<Response> {
  // fetch as a method of the request: browsers refuse to run it with another `this`.
  const { base, token, credentials, fetch } = request
  const headers = new Headers(request.headers)
  const isForeign = base.origin !== (globalThis.location?.origin ?? base.origin)
  const isPreflighted = isForeign && (token || [...headers].length > 0)
  const isSingle = jobs.length === 1
  const isConstant = isSingle && isPreflighted
  const after = isSingle && (isConstant || !isForeign) && jobs[0]?.after
  const cursor = after && after !== TAIL && after

  const url = eventsUrl(base, cursor ? jobs.map(({ job }) => ({ job })) : jobs)
  if (isConstant) url.searchParams.append('via', via)
  if (waitS && isConstant) headers.set('prefer', `wait=${waitS}`)
  else if (waitS) url.searchParams.append('wait', `${waitS}`)
  headers.set('accept', accept)
  if (cursor) headers.set('last-event-id', cursor)
  try {
    if (token) headers.set('authorization', `Bearer ${token}`)
  } catch {
    // Without its cause, which quotes the value.
    throw new TransportError('unsupported', 'the token has characters that a header cannot carry')
  }
  try {
    return await fetch(url, { headers, credentials, cache: isConstant ? 'default' : 'no-store', signal })
  } catch (cause) {
    throw new TransportError('network', `${place(url)} gave no answer (network, CORS or mixed content)`, { cause })
  }
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
  const from = url && place(new URL(url))
  throw new TransportError(status === 200 ? 'content-type' : 'status', `${from}${redirected ? ' (redirected)' : ''}: ${status}, ${type}, not ${accept}`, {
    status
  })
}

/** `Retry-After` is seconds or a date (RFC 9110, 10.2.3). */
function retryAfterMs(value: string | null): number | undefined {
  const ms = Number(value) * 1000 || Date.parse(value ?? '') - Date.now()
  return Number.isNaN(ms) ? undefined : Math.max(0, Math.ceil(ms))
}

/** The body as text, in pieces as they arrive. Throws `cut` where it breaks; leaving early cancels it. */
export async function* chunksOf({ body, url }: Response): AsyncGenerator<string, void> {
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
    throw new TransportError('cut', `${url && place(new URL(url))} broke off`, { cause })
  } finally {
    reader?.cancel().catch(() => {}) // it may have broken already
  }
}
