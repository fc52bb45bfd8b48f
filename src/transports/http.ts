/** The requests and answers of everything that is read with `fetch` (PROTOCOL.md §§2, 7, 8.5), for each kind of server. */

import { orAborted } from '../async/signals.ts'
import { TransportError } from '../errors.ts'
import type { ErrorControl } from '../protocol/frames.ts'
import { parseError, preview, type Redact } from '../protocol/parse.ts'
import { TAIL } from '../protocol/rules.ts'
import { place } from '../protocol/urls.ts'
import type { RequestContext } from '../types.ts'
import { redactorOf } from './redact.ts'
import { retryAfterOf } from './retry-after.ts'

/**
 * A browser hands over everything that has arrived as one chunk, which may be dozens of megabytes. It is split, so that a full reader can
 * stop within it.
 */
const MAX_PIECE_BYTES = 2 ** 16

/** The longest event accepted: 16 Mi characters. */
export const MAX_EVENT_CHARS: number = 2 ** 24

/** One request of `fetchReading`. Cursor and wait travel in a header or in the URL, wherever that costs no extra preflight. */
export interface ReadingOptions {
  /** Where the request goes. */
  url: URL
  /**
   * The header `Accept`. An answer of none of its content types is a failure of the path.
   * @defaultValue any content type is accepted
   */
  accept?: string
  /** The cursor to read after. Sent as the header `Last-Event-ID` and as a URL parameter, to another origin as one of them. */
  after?: string | undefined
  /**
   * The name of that URL parameter.
   * @defaultValue `'after'`
   */
  afterName?: string
  /** How long the server may hold the request, in seconds. */
  waitS?: number
  /**
   * A name that keeps the URLs of several readers apart. It declares that the URL is always the same but for `after` and `waitS`. Where a
   * preflight is needed, the request then has a constant URL, so that one preflight is enough for all.
   */
  via?: string | undefined
  /**
   * Makes a fresh request: with a random URL parameter, which no cache has seen, and the cursor in the URL; in the own origin in the header, too.
   * @defaultValue `false`
   */
  isFresh?: boolean
  /**
   * Where the network fails in a page, makes a second request that does not follow redirects: it tells a redirect to another origin from a
   * dead network.
   * @defaultValue `false`
   */
  findsRedirects?: boolean
  /**
   * The request's method.
   * @defaultValue `'GET'`
   */
  method?: 'POST' | 'PUT' | 'PATCH' | 'DELETE'
  /** The request's body. */
  body?: BodyInit
  /** Headers beside those of the client. */
  headers?: Record<string, string>
}

/** An answer. Its owner has to read `chunks`, or to cancel the response's body. */
export interface Answer {
  /** The response; its body is read through `chunks`. */
  readonly response: Response
  /** The body as text, in pieces as they arrive. It throws a `TransportError` `cut` where the body breaks off. Returning early cancels the body. */
  readonly chunks: AsyncGenerator<string, void>
  /** Replaces the request's credentials in a text that is quoted in an error. */
  readonly redact: Redact
}

/**
 * Makes one request as Jobtail's own transports do. Resolves with the answer, or with the server's refusal as an `error` frame for the
 * transport to yield.
 * @throws TransportError where the path has failed: there was no answer, another status or content type than expected, or a redirect to
 * another kind of resource. It has the `status`, and `retryAfterMs` from whoever sent it
 * @throws the signal's reason once it has aborted
 */
export async function fetchReading(request: Omit<RequestContext, 'base'>, options: ReadingOptions): Promise<Answer | ErrorControl> {
  const { fetch, signal } = request // browsers reject a `fetch` that is called as a method of another object
  const redact = redactorOf(request)
  const { url, ...init } = requestOf(request, options)
  try {
    const response = await fetch(url, init).catch(async (cause) => {
      // A redirect to another origin, for example to a login page, fails like a dead network unless it is not followed. Outside of a page it
      // is followed without failing.
      const isFindable = !signal.aborted && options.findsRedirects && globalThis.location && navigator.onLine !== false
      const found = isFindable && (await fetch(url, { ...init, redirect: 'manual' }).catch(() => undefined))
      if (!found) throw new TransportError('network', `${place(url)} gave no answer (network, CORS or mixed content)`, { cause })
      if (found.type === 'opaqueredirect') throw new TransportError('redirected', `${place(url)} was redirected to another origin`)
      return found
    })
    return (await errorFrom(response, options, redact)) ?? { response, chunks: chunksOf(response, signal, redact), redact }
  } catch (failure) {
    signal.throwIfAborted()
    throw failure
  }
}

/**
 * Decides where cursor and wait travel (PROTOCOL.md §8.5).
 * - Across origins nothing may cause a preflight.
 * - Where a token or other headers cause one anyway, a constant URL and the default cache mode keep it at one: browsers remember it by URL,
 *   and not for `no-store`. A gateway that answers preflights may not allow the cursor's header: the fresh request that follows has none.
 * - In the own origin the cursor goes into both places: proxies drop headers that they do not know, and caches look at URLs alone.
 */
function requestOf(
  { token, credentials, signal, headers: given }: Pick<RequestContext, 'token' | 'credentials' | 'signal' | 'headers'>,
  { url: at, accept, after, afterName = 'after', waitS, via, isFresh, findsRedirects: _, headers: own = {}, ...init }: ReadingOptions
): RequestInit & { url: string } {
  const url = new URL(at)
  const put = (name: string, value: unknown): void => url.searchParams.append(name, `${value}`)
  const headers = new Headers(given)
  const isCrossOrigin = url.origin !== (globalThis.location?.origin ?? url.origin)
  const isConstant = via && isCrossOrigin && (!!token || [...headers].length > 0) && !isFresh

  for (const [name, value] of Object.entries(own)) headers.set(name, value)
  if (accept) headers.set('accept', accept)
  if (token) headers.set('authorization', `Bearer ${token}`)
  const hasHeader = after && after !== TAIL && (isConstant || !isCrossOrigin)
  if (hasHeader) headers.set('last-event-id', after)
  if (after && !(hasHeader && isConstant)) put(afterName, after)
  if (isConstant) put('via', via)
  if (waitS && isConstant) headers.set('prefer', `wait=${waitS}`)
  else if (waitS) put('wait', waitS)
  if (isFresh) put('fresh', Math.random())
  // As text: wrappers of `fetch` that are written by hand expect that.
  return { url: url.href, ...init, headers, credentials, signal, cache: isConstant ? 'default' : 'no-store' }
}

/**
 * Resolves with nothing where the answer is as requested, and with an `error` frame where it is an error that speaks for the job.
 * @throws TransportError where it is a failure of the path
 */
export async function errorFrom(
  response: Response,
  { accept = '', method }: Pick<ReadingOptions, 'accept' | 'method'>,
  redact: Redact
): Promise<ErrorControl | undefined> {
  const { status, headers, redirected, url, body, ok } = response
  const type = (headers.get('content-type') ?? 'no content type').toLowerCase()
  // A login page, to which a POST was redirected, has done nothing of what was requested.
  const isPage = redirected && type.startsWith('text/html')
  if (ok && !isPage && accept.split(/[,;] */).some((each) => type.startsWith(each))) return
  const where = redact(place(url))
  const retryAfterMs = ok ? undefined : retryAfterOf(headers)
  let words = ''
  // A problem; or what a simple server says about an operation, in a form of its own. The body of a reading is not waited for: it may never end.
  if (type.startsWith('application/problem+json') || (method && /^(application\/json|text\/plain)/.test(type))) {
    // Where the body breaks off, that is the failure: the bare status could be taken for the path's final answer.
    const text = await response.text().catch((cause) => {
      throw new TransportError('cut', `${where} broke off`, { cause, retryAfterMs })
    })
    try {
      const { detail, title, ...problem } = JSON.parse(text)
      // 408 and 504 come from intermediaries that timed out, whatever their body says.
      if (type.includes('problem') && status !== 408 && status !== 504)
        return parseError({ message: detail ?? title, retryAfterMs, ...problem, status }, redact)
    } catch {
      // an intermediary's problem, which does not follow the protocol
    }
    words = `: ${preview(text, redact)}`
  }
  // An unread body would keep its connection busy.
  body?.cancel().catch(() => {})
  const message = `${where}${redirected ? ' (redirected)' : ''}: ${status}, ${redact(type)}${accept && `, not ${accept}`}${words}`
  throw new TransportError(redirected && status < 500 ? 'redirected' : ok ? 'content-type' : 'status', message, { status, retryAfterMs })
}

async function* chunksOf({ body, url }: Response, signal: AbortSignal, redact: Redact): AsyncGenerator<string, void> {
  // Not `for await (… of body)`: WebKit's streams have no async iterator.
  const reader = body?.getReader()
  const decoder = new TextDecoder()
  try {
    for (;;) {
      // A custom `fetch` may not end its bodies when the signal aborts.
      const chunk = reader && (await orAborted(reader.read(), signal))
      if (!chunk?.value) return
      for (let at = 0; at < chunk.value.length; at += MAX_PIECE_BYTES) yield decoder.decode(chunk.value.subarray(at, at + MAX_PIECE_BYTES), { stream: true })
    }
  } catch (cause) {
    signal.throwIfAborted()
    throw new TransportError('cut', `${redact(place(url))} broke off`, { cause })
  } finally {
    reader?.cancel().catch(() => {}) // the body may have failed already
  }
}

/** The whole body. */
export async function textOf({ chunks }: Answer): Promise<string> {
  let text = ''
  for await (const chunk of chunks) text += chunk
  return text
}
