/** Reads a status document once: what it means, when to read it again, and whether it has changed. */

import { clampMs } from '../async/bounds.ts'
import { child, orAborted } from '../async/signals.ts'
import { TransportError } from '../errors.ts'
import { type ErrorControl, isControl } from '../protocol/frames.ts'
import { retryAfterOf } from '../transports/retry-after.ts'
import type { RequestContext } from '../types.ts'
import { addressOf, type RequestHook, requestOf, sendRequest, textOf } from './foreign.ts'
import { hashOf } from './marks.ts'

/**
 * The events that a document stands for, in the order in which they happened. Each is delivered when it is new. An event of a list that only
 * grows may carry its place in that list as `item`: the list's name, in letters and digits, and the index from 0. It is new where fewer
 * items of the list were received, whatever its data.
 */
export type DocumentEvents = readonly (readonly [type: string, data?: unknown, item?: readonly [list: string, index: number]])[]

/** What `read` is given beside the document. */
export interface ReadContext {
  /** The job's id. */
  job: string
  /** The client's `url`. */
  readonly base: URL
  /** The last response, of the document or of `get`, as the server sent it: with its own status, also where that is no 2xx. */
  readonly response: Response
  /** Gets another JSON document, such as the result that this one points to. `url` is relative to the client's. */
  get(url: string | URL): Promise<unknown>
  /** Sets the pause before the document is read again, in ms, in place of `Retry-After` and `pollMs`. Anything but a number above 0 sets none. */
  pauseMs(ms: number): void
}

/** How a status document is requested and read. `D`: what the document is, as far as you know. It is not checked. */
export interface DocumentOptions<D = unknown> {
  /**
   * The request for a job's document.
   * @defaultValue GET `{url}/{id}`; an id that is a URL itself is requested as it is
   */
  request?: RequestHook | undefined
  /**
   * What a document means, as events: `['queued', { position }]`, `['progress', { ratio }]`, `['succeeded', result]`, `['failed', { code,
   * message }]`. `undefined`: there is no such job.
   * @defaultValue by HTTP alone: 202 is `started`; any other answer, or what a redirect leads to, is the result (RFC 9110 §15.3.3)
   */
  read?: ((document: D, context: ReadContext) => DocumentEvents | undefined | Promise<DocumentEvents | undefined>) | undefined
  /**
   * How long an answer may take, in ms.
   * @defaultValue 15,000
   */
  timeoutMs?: number | undefined
  /**
   * Statuses other than 2xx whose body is a document too.
   * @defaultValue none
   */
  takes?: readonly number[] | undefined
}

/** The events that a document stands for. `mark`: a hash of type and data, or the place in a list, which tells whether the event was seen before. */
export type Parts = readonly { type: string; data: unknown; mark: string }[]

/** A status document that was read. */
export interface Document {
  /** Its events. */
  parts: Parts
  /** How soon it should be read again, in ms, where the server or `read` has told it. */
  pauseMs: number | undefined
  /** Its entity tag. */
  etag: string | null
}

/** The least pause between two reads in a hidden page. */
export const LEAST_HIDDEN_MS = 15_000

const byHttp = (document: unknown, { response }: ReadContext): DocumentEvents => (response.status === 202 ? [['started', {}]] : [['succeeded', document]])

/**
 * Reads the document once. `isNew`: nothing has been read of this job before, so that a 404 means that there is no such job. `last`: the
 * document before, which a 304 stands for.
 */
export async function readDocument(
  context: RequestContext,
  job: string,
  options: DocumentOptions,
  isNew: boolean,
  last?: Document
): Promise<Document | ErrorControl> {
  const { request = (id, { base }) => addressOf(id, base), read = byHttp, timeoutMs = 15_000, takes = [] } = options
  const limited = child(context.signal)
  const timer = setTimeout(() => limited.abort(new TransportError('silent', `no answer within ${timeoutMs} ms`)), clampMs(timeoutMs))
  let raw: Response | undefined
  /** Keeps the response, and lets statuses through that count as success here. */
  const fetch: typeof globalThis.fetch = async (url, init) => {
    const response = await context.fetch.call(undefined, url, init)
    raw = response
    if (response.status === 304) return new Response()
    return takes.includes(response.status) ? new Response(response.body) : response
  }
  const own = { ...context, fetch, signal: limited.signal }
  let pauseMs: number | undefined
  try {
    // An application's function may never settle.
    const given = await orAborted(Promise.resolve(request(job, { base: context.base })), own.signal)
    const { url } = requestOf(given, context.base)
    // Across origins the header causes a preflight, which servers refuse that allow no more than their own headers.
    const isOwn = url.origin === (globalThis.location?.origin ?? url.origin)
    const answer = await sendRequest(own, given, job, {
      isKnown: !isNew,
      headers: { accept: 'application/json', ...(last?.etag && isOwn && { 'if-none-match': last.etag }) }
    })
    if (isControl(answer)) return answer
    const response = raw ?? answer.response
    pauseMs = retryAfterOf(response.headers)
    const text = await textOf(answer)
    if (response.status === 304) {
      if (last) return { ...last, pauseMs }
      throw new TransportError('status', 'a first document was requested, and the answer is 304', { status: 304 })
    }
    // WebKit reports a body that was cut before its first byte as an empty one. Only its length says that it is meant.
    if (!text && response.status === 200 && response.headers.get('content-length') !== '0' && (!isNew || read === byHttp))
      throw new TransportError('cut', 'expected a document, got an empty answer')
    const look: ReadContext = {
      job,
      base: context.base,
      get response() {
        return raw ?? response
      },
      get: (url) => documentAt(own, url),
      pauseMs(ms) {
        if (ms > 0) pauseMs = clampMs(ms)
      }
    }
    const said = await orAborted(Promise.resolve(read(jsonOf(text, response), look)), own.signal)
    if (!said) return { control: 'error', job, status: 404, code: 'unknown-job', message: 'the server knows no such job' }
    return {
      parts: said.map(([type, data = null, item]) => ({ type, data, mark: item ? item.join('_') : markOf(type, data) })),
      pauseMs,
      etag: response.headers.get('etag')
    }
  } finally {
    clearTimeout(timer)
    limited.release()
  }
}

async function documentAt(context: RequestContext, url: string | URL): Promise<unknown> {
  const answer = await sendRequest(context, addressOf(`${new URL(url, context.base)}`, context.base), undefined, { headers: { accept: 'application/json' } })
  if (isControl(answer)) throw new TransportError('status', answer.message, { status: answer.status })
  return jsonOf(await textOf(answer), answer.response)
}

/** Parses a document. An HTML page, or a body that breaks off, fails the path; an empty body is `null`. */
function jsonOf(text: string, { headers }: Response): unknown {
  try {
    return JSON.parse(text || 'null')
  } catch {
    throw new TransportError('content-type', `expected a document in JSON, got ${headers.get('content-type') ?? 'no content type'}`)
  }
}

/** A hash of type and data, equal for equal data whatever the order of its fields. */
const markOf = (type: string, data: unknown): string =>
  hashOf(type + JSON.stringify(data, (_, value) => (value?.constructor === Object ? Object.fromEntries(Object.entries(value).sort()) : value)))
