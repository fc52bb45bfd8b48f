/** Requests and answers of the transports that use fetch (PROTOCOL.md §§2, 7, 8.5). */

import { TransportError } from '../errors.ts'
import type { Control, ErrorControl } from '../protocol/frames.ts'
import { parseError } from '../protocol/parse.ts'
import { TAIL } from '../protocol/rules.ts'
import { type Asked, eventsUrl, place, single } from '../protocol/urls.ts'
import type { FailureReason, OpenRequest } from '../types.ts'

/** Browsers hand over all that has come meanwhile in one chunk, dozens of megabytes: a reader that is full lets go in the middle of it. */
const MAX_PIECE_BYTES = 2 ** 16

/** The problem of which nothing but the status has come. */
const BUSY = '{"code":"busy","title":"busy"}'

/** What is asked for, from where, by which transport and in which content type; the server may hold the answer for `waitS`, in seconds. */
export interface Question extends Omit<OpenRequest, 'jobs'> {
  jobs: readonly Asked[]
  via: string
  accept: string
  waitS?: number
}

/** What comes is the answer, or a control that is all there is to say. Throws where the path has failed. */
export async function ask(question: Question): Promise<Response | Control> {
  const { fetch, signal, jobs, accept } = question // `question.fetch()` would have a `this` that browsers refuse
  const { url, ...init } = addressOf(question)
  const response = await fetch(url, init).catch(failing('network', `${place(url)} gave no answer (network, CORS or mixed content)`, signal))
  const only = single(jobs)
  if (only && response.status === 204) return { control: 'done', job: only.job, cursor: only.after ?? TAIL }
  return (await errorIn(response, accept)) ?? response
}

/** To throw instead of what was caught: the abort's reason where that was the cause. */
const failing =
  (reason: FailureReason, message: string, signal: AbortSignal) =>
  (cause: unknown): never => {
    signal.throwIfAborted()
    throw new TransportError(reason, message, { cause })
  }

/**
 * Where the cursor and the wait go. Across origins nothing may need a preflight; where a token or other headers need one anyway, a constant URL and the
 * default cache mode keep it to one, since browsers remember it by URL and skip it for no-store (PROTOCOL.md §8.5).
 */
function addressOf({ base, jobs, token, credentials, signal, via, accept, waitS, ...given }: Question): RequestInit & { url: URL } {
  const headers = new Headers(given.headers)
  const isForeign = base.origin !== (globalThis.location?.origin ?? base.origin)
  /** The job whose position can be told by headers. */
  const only = !isForeign || token || [...headers].length > 0 ? single(jobs) : undefined
  const isConstant = only && isForeign
  const cursor = only?.after !== TAIL && only?.after

  const url = eventsUrl(base, only && cursor ? [{ job: only.job }] : jobs)
  headers.set('accept', accept)
  if (token) headers.set('authorization', `Bearer ${token}`)
  if (cursor) headers.set('last-event-id', cursor)
  if (via === 'sse') url.searchParams.append('more', '1')
  if (isConstant) url.searchParams.append('via', via)
  if (waitS && isConstant) headers.set('prefer', `wait=${waitS}`)
  else if (waitS) url.searchParams.append('wait', `${waitS}`)
  return { url, headers, credentials, signal, cache: isConstant ? 'default' : 'no-store' }
}

/** Nothing where the answer is what was asked for; a frame where it is an error that speaks for the job; throws where it is the path's own failure. */
export async function errorIn(response: Response, accept: string): Promise<ErrorControl | undefined> {
  const { status, headers, redirected, url, body } = response
  const type = (headers.get('content-type') ?? 'no content type').toLowerCase()
  if (response.ok && type.startsWith(accept)) return
  // 408 and 504 come from whoever lost patience in between, whatever they say.
  if (type.startsWith('application/problem+json') && status !== 408 && status !== 504) {
    // Where the body breaks off, that is what has failed: a status alone would be taken for the path's own, and thrown. But a server that is busy has said so.
    const text = await response.text().catch((cause) => {
      if (status !== 429 && status !== 503) throw cause
      return BUSY
    })
    try {
      const { detail, title, ...problem } = JSON.parse(text)
      return parseError({ message: detail ?? title, retryAfterMs: Number(headers.get('retry-after')) * 1000 || undefined, ...problem, status })
    } catch {
      // not the protocol's: somebody else's
    }
  }
  // What nobody reads holds its connection.
  body?.cancel().catch(() => {})
  const message = `${place(url)}${redirected ? ' (redirected)' : ''}: ${status}, ${type}, not ${accept}`
  throw new TransportError(status === 200 ? 'content-type' : 'status', message, { status })
}

/** The body as text, in pieces as they arrive. Throws `cut` where it breaks; leaving early cancels it. */
export async function* chunksOf({ body, url }: Response, signal: AbortSignal): AsyncGenerator<string, void> {
  // Not `for await (… of body)`: WebKit's streams have no async iterator.
  const reader = body?.getReader()
  const decoder = new TextDecoder()
  try {
    for (;;) {
      const chunk = await reader?.read().catch(failing('cut', `${place(url)} broke off`, signal))
      if (!chunk?.value) return
      for (let at = 0; at < chunk.value.length; at += MAX_PIECE_BYTES) yield decoder.decode(chunk.value.subarray(at, at + MAX_PIECE_BYTES), { stream: true })
    }
  } finally {
    reader?.cancel().catch(() => {}) // it may have broken already
  }
}
