/** Requests and answers of whatever is read by fetch (PROTOCOL.md §§2, 7, 8.5), whoever the server is. */

import { onAbort } from '../async/signals.ts'
import { TransportError } from '../errors.ts'
import type { ErrorControl } from '../protocol/frames.ts'
import { parseError, type Redact } from '../protocol/parse.ts'
import { TAIL } from '../protocol/rules.ts'
import { place } from '../protocol/urls.ts'
import type { FailureReason, RequestContext } from '../types.ts'
import { batchOf } from './batches.ts'
import { redactorOf } from './redact.ts'
import { retryAfterOf } from './retry-after.ts'

/** Browsers hand over all that has come meanwhile in one chunk, dozens of megabytes: a reader that is full lets go in the middle of it. */
const MAX_PIECE_BYTES = 2 ** 16

/** The longest event taken: 16 Mi characters. */
export const MAX_EVENT_CHARS: number = 2 ** 24

/** The problem of which nothing but the status has come. */
const BUSY = '{"code":"busy","title":"busy"}'

/** What is read, and how; what of it can travel in a header or in the URL goes where it costs no preflight of its own. */
export interface ReadingOptions {
  url: URL
  /** The header `Accept`: an answer of none of its content types is the path's failure. Default: any will do. */
  accept?: string
  /** The cursor to go on from: as `Last-Event-ID` and as a parameter of the URL, called `after` where `afterName` says nothing else. */
  after?: string | undefined
  afterName?: string
  /** How long the server may hold the answer, in seconds. */
  waitS?: number
  /** The URL is the same each time but for `after` and `waitS`: where a preflight is due it stays constant, so that one is enough, and this keeps those of several readers apart. */
  via?: string | undefined
  /** Asked so that no cache has seen it, the cursor in both places. */
  isFresh?: boolean
  /** Asked a second time, where the network has failed in a page, to tell a redirect to another origin from that. */
  findsRedirects?: boolean
  method?: 'POST' | 'PUT'
  body?: string
  /** Further headers, beside those of the client. */
  headers?: Record<string, string>
}

/** What has been answered. Whoever has it reads `chunks`, or cancels the body. */
export interface Answer {
  readonly response: Response
  /** The body as text, in pieces as they arrive. Throws `cut` where it breaks; leaving early cancels it. */
  readonly chunks: AsyncGenerator<string, void>
  /** Leaves the request's credentials out of what is quoted of the answer. */
  readonly redact: Redact
}

/**
 * Asks, and gives the answer, or the server's refusal as the frame that a transport hands on. Throws a `TransportError` where the path has failed:
 * no answer, a status or a content type that nobody asked for, a redirect to somewhere else; with `status`, and `retryAfterMs` from whoever said it.
 */
export async function fetchReading(request: Omit<RequestContext, 'base'>, options: ReadingOptions): Promise<Answer | ErrorControl> {
  const { fetch, signal } = request // `request.fetch()` would have a `this` that browsers refuse
  const redact = redactorOf(request)
  const { url, ...init } = addressOf(request, options)
  const noAnswer = failing('network', `${place(url)} gave no answer (network, CORS or mixed content)`, signal)
  const response = await fetch(url, init).catch(async (cause) => {
    // A redirect to another origin, as of a session that is over, fails as the network does, unless it is not to be followed. Without a page it is followed.
    if (signal.aborted || !options.findsRedirects || !globalThis.location || navigator.onLine === false) return noAnswer(cause)
    const found = await fetch(url, { ...init, redirect: 'manual' }).catch(noAnswer)
    if (found.type === 'opaqueredirect') throw new TransportError('redirected', `${place(url)} was redirected to another origin`)
    return found
  })
  const error = await errorIn(response, options.accept, redact).catch((failure) => {
    signal.throwIfAborted()
    throw failure
  })
  return error ?? { response, chunks: chunksOf(response, signal, redact), redact }
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
 * default cache mode keep it to one, since browsers remember it by URL and skip it for no-store (PROTOCOL.md §8.5). Else the cursor goes into both
 * places: proxies drop headers that they don't know, and caches know URLs only.
 */
function addressOf(
  { token, credentials, signal, headers: given }: Pick<RequestContext, 'token' | 'credentials' | 'signal' | 'headers'>,
  { url: at, accept, after, afterName = 'after', waitS, via, isFresh, findsRedirects: _, headers: own = {}, ...init }: ReadingOptions
): RequestInit & { url: URL } {
  const url = new URL(at)
  const put = (name: string, value: unknown): void => url.searchParams.append(name, `${value}`)
  const headers = new Headers(given)
  const isForeign = url.origin !== (globalThis.location?.origin ?? url.origin)
  const canSayMore = !isForeign || !!token || [...headers].length > 0
  const isConstant = via && isForeign && canSayMore && !isFresh

  for (const name in own) headers.set(name, own[name] as string) // as: `name` is one of its own
  if (accept) headers.set('accept', accept)
  if (token) headers.set('authorization', `Bearer ${token}`)
  const hasHeader = after && after !== TAIL && canSayMore
  if (hasHeader) headers.set('last-event-id', after)
  if (after && !(hasHeader && isConstant)) put(afterName, after)
  if (isConstant) put('via', via)
  if (waitS && isConstant) headers.set('prefer', `wait=${waitS}`)
  else if (waitS) put('wait', waitS)
  if (isFresh) put('fresh', Math.random())
  return { url, ...init, headers, credentials, signal, cache: isConstant ? 'default' : 'no-store' }
}

/** Nothing where the answer is what was asked for; a frame where it is an error that speaks for the job; throws where it is the path's own failure. */
export async function errorIn(response: Response, accept = '', redact: Redact = (text) => text): Promise<ErrorControl | undefined> {
  const { status, headers, redirected, url, body, ok } = response
  const type = (headers.get('content-type') ?? 'no content type').toLowerCase()
  if (ok && accept.split(/[,;] */).some((each) => type.startsWith(each))) return
  const where = redact(place(url))
  const retryAfterMs = ok ? undefined : retryAfterOf(headers)
  // 408 and 504 come from whoever lost patience in between, whatever they say.
  if (type.startsWith('application/problem+json') && status !== 408 && status !== 504) {
    // Where the body breaks off, that is what has failed: a status alone would be taken for the path's own, and thrown. But a server that is busy has said so.
    const text = await response.text().catch((cause) => {
      if (status !== 429 && status !== 503) throw new TransportError('cut', `${where} broke off`, { cause })
      return BUSY
    })
    try {
      const { detail, title, ...problem } = JSON.parse(text)
      const error = parseError({ message: detail ?? title, retryAfterMs, ...problem, status })
      batchOf([error], 0, redact)
      return error
    } catch {
      // not the protocol's: somebody else's
    }
  }
  // What nobody reads holds its connection.
  body?.cancel().catch(() => {})
  const message = `${where}${redirected ? ' (redirected)' : ''}: ${status}, ${redact(type)}${accept && `, not ${accept}`}`
  throw new TransportError(redirected && status < 500 ? 'redirected' : ok ? 'content-type' : 'status', message, { status, retryAfterMs })
}

async function* chunksOf({ body, url }: Response, signal: AbortSignal, redact: Redact): AsyncGenerator<string, void> {
  // Not `for await (… of body)`: WebKit's streams have no async iterator.
  const reader = body?.getReader()
  const decoder = new TextDecoder()
  const cancel = (): unknown => reader?.cancel().catch(() => {}) // it may have broken already
  // Not every fetch that may be given ends its bodies with its signal.
  const release = onAbort(signal, cancel)
  try {
    for (;;) {
      const chunk = await reader?.read().catch(failing('cut', `${redact(place(url))} broke off`, signal))
      signal.throwIfAborted()
      if (!chunk?.value) return
      for (let at = 0; at < chunk.value.length; at += MAX_PIECE_BYTES) yield decoder.decode(chunk.value.subarray(at, at + MAX_PIECE_BYTES), { stream: true })
    }
  } finally {
    release()
    cancel()
  }
}

/** All of it. */
export async function textOf({ chunks }: Answer): Promise<string> {
  let text = ''
  for await (const chunk of chunks) text += chunk
  return text
}
