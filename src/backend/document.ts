/** One look at a status document: what it means, how soon to look again, and whether it has changed at all. */

import { bounded } from '../async/bounds.ts'
import { child } from '../async/signals.ts'
import { TransportError } from '../errors.ts'
import { type ErrorControl, isControl } from '../protocol/frames.ts'
import { retryAfterOf } from '../transports/retry-after.ts'
import type { RequestContext } from '../types.ts'
import { addressOf, ask, type RequestHook } from './foreign.ts'

/**
 * What a document says, in the order in which it came to be: each is an event whenever it is new. What is the `index`th item, from 0, of a list that only
 * grows is new where fewer were had; `list` names it, in letters and digits.
 */
export type Said = readonly (readonly [type: string, data?: unknown, item?: readonly [list: string, index: number]])[]

/** What else a reader of documents may want to know. */
export interface Look {
  job: string
  /** The last answer: `status` is the server's own; `redirected`, `url` and `headers` as fetch has them. */
  readonly response: Response
  /** Another document, such as the result that this one leads to. */
  get(url: string | URL): Promise<unknown>
  /** Look again after so many ms, whatever else would be done. */
  pauseMs(ms: number): void
}

export interface DocumentOptions {
  /** @defaultValue GET `{url}/{id}`, or an id that is an address itself */
  request?: RequestHook | undefined
  /**
   * What a document means, undefined where it says that there is no such job: as standard events: `['queued', { position }]`, `['progress', { ratio }]`, `['succeeded', result]`, `['failed', { code, message }]`.
   * @defaultValue by HTTP alone: 202 is `started`, what else there is, or a redirect leads to, is the result (RFC 9110 §15.3.3)
   */
  read?: ((document: unknown, look: Look) => Said | undefined | Promise<Said | undefined>) | undefined
  /** Without an answer by then, in ms, a look has failed. @defaultValue 15,000 */
  timeoutMs?: number | undefined
  /** Statuses beside 2xx whose body is a document as well. */
  takes?: readonly number[] | undefined
}

export type Parts = readonly { type: string; data: unknown /** Tells whether it was seen before. */; mark: string }[]

export interface Document {
  parts: Parts
  pauseMs: number | undefined
  etag: string | null
}

/** The least pause between two looks in a hidden page. */
export const LEAST_HIDDEN_MS = 15_000

const byHttp = (document: unknown, { response }: Look): Said => (response.status === 202 ? [['started', {}]] : [['succeeded', document]])

/** Looks once; `last` is what was seen before, which a 304 says again. `isNew`: nothing has been read of this job before. */
export async function lookAt(
  context: RequestContext,
  job: string,
  options: DocumentOptions,
  isNew: boolean,
  last?: Document
): Promise<Document | ErrorControl> {
  const { request = (id, { base }) => addressOf(id, base), read = byHttp, timeoutMs = 15_000, takes = [] } = options
  const limited = child(context.signal)
  const timer = setTimeout(() => limited.abort(new TransportError('silent', `no answer within ${timeoutMs} ms`)), bounded(timeoutMs))
  let raw: Response | undefined
  /** Keeps the answer itself, and lets what is no success through where it is one here. */
  const fetch: typeof globalThis.fetch = async (url, init) => {
    const response = await context.fetch.call(undefined, url, init)
    raw = response
    if (response.status === 304) return new Response()
    return takes.includes(response.status) ? new Response(response.body) : response
  }
  const own = { ...context, fetch, signal: limited.signal }
  let pauseMs: number | undefined
  try {
    const answer = await ask(own, await request(job, { base: context.base }), isNew ? job : undefined, {
      headers: { accept: 'application/json', ...(last?.etag && { 'if-none-match': last.etag }) }
    })
    if (isControl(answer)) return answer
    const response = raw ?? answer.response
    pauseMs = retryAfterOf(response.headers)
    let text = ''
    for await (const chunk of answer.chunks) text += chunk
    if (response.status === 304 && last) return { ...last, pauseMs }
    const look: Look = {
      job,
      get response() {
        return raw ?? response
      },
      get: (url) => documentAt(own, url),
      pauseMs: (ms) => {
        pauseMs = bounded(ms)
      }
    }
    const said = await read(jsonOf(text, response), look)
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
  const answer = await ask(context, addressOf(`${new URL(url, context.base)}`, context.base), undefined, { headers: { accept: 'application/json' } })
  if (isControl(answer)) throw new TransportError('status', answer.message, { status: answer.status })
  let text = ''
  for await (const chunk of answer.chunks) text += chunk
  return jsonOf(text, answer.response)
}

/** A page is no document, and neither is what breaks off; nothing is null. */
function jsonOf(text: string, { headers }: Response): unknown {
  try {
    return JSON.parse(text || 'null')
  } catch {
    throw new TransportError('content-type', `expected a document in JSON, got ${headers.get('content-type') ?? 'no content type'}`)
  }
}

/** Of equal data whatever the order of its fields; 32 bits of FNV-1a. */
function markOf(type: string, data: unknown): string {
  const text = type + JSON.stringify(data, (_, value) => (value?.constructor === Object ? Object.fromEntries(Object.entries(value).sort()) : value))
  let hash = 0x811c9dc5
  for (let at = 0; at < text.length; at += 1) hash = Math.imul(hash ^ text.charCodeAt(at), 0x01000193)
  return (hash >>> 0).toString(36)
}
