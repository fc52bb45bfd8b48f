/** Requests and answers of the transports that use fetch (PROTOCOL.md §§2, 7, 8.5). */

import { TransportError } from '../errors.ts'
import type { ErrorControl, Problem } from '../protocol/frames.ts'
import { parseProblem } from '../protocol/parse.ts'
import { TAIL } from '../protocol/rules.ts'
import { eventsUrl } from '../protocol/urls.ts'
import type { OpenRequest } from '../types.ts'
import { errorFrame, place } from './link.ts'

export interface Question {
  /** The transport's name. */
  via: string
  /** The content type asked for, and the only one taken. */
  accept: string
  jobs: OpenRequest['jobs']
  /** How long the server may hold the answer, in seconds; 0: not at all. */
  waitS: number
}

const MAX_PROBLEM_CHARS = 65_536

/** Sends the request. Throws `network` where there was no answer, the signal's reason where it was aborted. */
export async function ask(request: OpenRequest, question: Question, signal: AbortSignal): Promise<Response> {
  // A method of the request otherwise: browsers refuse to run fetch with another `this`.
  const { fetch, credentials } = request
  const { url, headers, cache } = address(request, question)
  try {
    return await fetch(url, { headers, credentials, cache, signal })
  } catch (cause) {
    throw signal.aborted ? signal.reason : new TransportError('network', `${place(url)} gave no answer (network, CORS or mixed content)`, { cause })
  }
}

/**
 * Where the cursor and the wait go. Across origins nothing may need a preflight; where a token or other headers need one anyway, a constant URL and the
 * default cache mode keep it to one, since browsers remember it by URL and skip it for no-store (PROTOCOL.md §8.5).
 */
function address({ base, token, headers: given }: OpenRequest, { via, accept, jobs, waitS }: Question): { url: URL; headers: Headers; cache: RequestCache } {
  const only = jobs.length === 1 ? jobs[0] : undefined
  const foreign = base.origin !== (globalThis.location?.origin ?? base.origin)
  const preflighted = foreign && (!!token || !given.keys().next().done)
  const cursor = only?.after && only.after !== TAIL && foreign === preflighted ? only.after : undefined
  const constant = only && preflighted

  const url = eventsUrl(base, jobs, !cursor)
  const headers = new Headers(given)
  headers.set('accept', accept)
  if (constant) url.searchParams.append('via', via)
  if (waitS && constant) headers.append('prefer', `wait=${waitS}`)
  else if (waitS) url.searchParams.append('wait', `${waitS}`)
  try {
    if (cursor) headers.set('last-event-id', cursor)
    if (token) headers.set('authorization', `Bearer ${token}`)
  } catch {
    // Without its cause, which quotes the value.
    throw new TransportError('unsupported', 'the token or the cursor has characters that a header cannot carry')
  }
  return { url, headers, cache: constant ? 'default' : 'no-store' }
}

/** Nothing where the answer is what was asked for; a frame where it is an error that speaks for the job; throws where it is the path's own failure. */
export async function errorIn(response: Response, { accept, jobs }: Question, signal: AbortSignal): Promise<ErrorControl | undefined> {
  const { status, headers, redirected } = response
  const type = (headers.get('content-type') ?? 'no content type').toLowerCase()
  // 202 answers a start and a cancel.
  if ((status === 200 || status === 202) && type.startsWith(accept)) return
  const retryAfterMs = retryAfter(headers.get('retry-after'))
  // 408 and 504 come from whoever lost patience in between, whatever they say.
  if (status >= 400 && status !== 408 && status !== 504 && /^application\/(problem\+)?json/.test(type)) {
    const problem = await problemIn(response, type, signal)
    if (problem) return errorFrame({ ...(retryAfterMs === undefined ? {} : { retryAfterMs }), ...problem, status }, jobs)
  }
  const from = response.url && place(new URL(response.url))
  throw new TransportError(status === 200 ? 'content-type' : 'status', `${from}${redirected ? ' (redirected)' : ''}: ${status}, ${type}, not ${accept}`, {
    status,
    retryAfterMs
  })
}

async function problemIn(response: Response, type: string, signal: AbortSignal): Promise<Problem | undefined> {
  let text = ''
  try {
    for await (const chunk of chunksOf(response, signal)) {
      text += chunk
      if (text.length > MAX_PROBLEM_CHARS) return
    }
    const body: unknown = JSON.parse(text)
    return parseProblem(type.includes('problem') ? Object.assign({ status: response.status }, body) : body)
  } catch {
    return // not the protocol's: somebody else's JSON, or a body that broke
  }
}

/** `Retry-After` is seconds or a date (RFC 9110, 10.2.3). */
function retryAfter(value: string | null): number | undefined {
  if (!value) return
  const ms = /^\d+$/.test(value) ? Number(value) * 1000 : Date.parse(value) - Date.now()
  return Number.isFinite(ms) ? Math.max(0, Math.ceil(ms)) : undefined
}

/** The body as text, in pieces as they arrive. Throws `cut` where it breaks; leaving early cancels it. */
export async function* chunksOf({ body, url }: Response, signal: AbortSignal): AsyncGenerator<string, void> {
  // Not `for await (… of body)`: WebKit's streams have no async iterator.
  const reader = body?.getReader()
  if (!reader) return
  const decoder = new TextDecoder()
  try {
    for (;;) {
      const { done, value } = await reader.read()
      if (done) return
      yield decoder.decode(value, { stream: true })
    }
  } catch (cause) {
    throw signal.aborted ? signal.reason : new TransportError('cut', `${url && place(new URL(url))} broke off`, { cause })
  } finally {
    reader.cancel().catch(() => {}) // it may have broken already
  }
}
