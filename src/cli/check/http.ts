/** Sends the requests of a check. Each is limited in time, and described in words for findings. */

import { networkReason } from '../network.ts'
import type { Route } from '../proxy.ts'
import { Finding } from './finding.ts'

export type Fields = Record<string, unknown>

export interface CheckTarget {
  base: URL
  /** Sent with every request. */
  headers: Readonly<Record<string, string>>
  token: string | undefined
  /** How long an answer, or an expected frame, may take, in ms. */
  limitMs: number
  signal: AbortSignal
  /** Default: directly, without a proxy. */
  route?: Pick<Route, 'fetch' | 'agent'> | undefined
}

export interface RequestOptions {
  method?: 'GET' | 'POST' | 'OPTIONS'
  url: URL
  headers?: Record<string, string>
  body?: string
  /** Default: the target's limit. */
  limitMs?: number
  /** Sends the request without the token. */
  anonymous?: boolean
}

export interface Exchange {
  /** The request, in words. */
  asked: string
  /** The answer, in words. */
  came: string
  status: number
  headers: Headers
  text: string
  /** The parsed body; `undefined` where it isn't JSON. */
  json: unknown
  afterMs: number
}

export const describeRequest = ({ method = 'GET', url, headers = {} }: RequestOptions): string =>
  [`${method} ${url.pathname}${url.search}`, ...Object.entries(headers).map(([name, value]) => `${name}: ${value}`)].join(', ')

export function headersFor({ headers, token }: CheckTarget, question: RequestOptions): Record<string, string> {
  const authorization: Record<string, string> = token === undefined || question.anonymous ? {} : { authorization: `Bearer ${token}` }
  return { ...headers, ...authorization, ...question.headers }
}

/** Sends a request. Resolves with the response as soon as its head is there. Throws a `Finding` where none comes. */
export async function sendRequest(target: CheckTarget, question: RequestOptions, signal: AbortSignal): Promise<Response> {
  const { url, method = 'GET', body } = question
  try {
    const { fetch } = target.route ?? globalThis
    return await fetch(url, { method, headers: headersFor(target, question), redirect: 'manual', signal, ...(body === undefined ? {} : { body }) })
  } catch (error) {
    throw toFinding(error, question, target)
  }
}

/** Sends a request and reads the whole answer. Throws a `Finding` where none comes in time. */
export async function exchange(target: CheckTarget, question: RequestOptions): Promise<Exchange> {
  const began = performance.now()
  const limit = AbortSignal.timeout(question.limitMs ?? target.limitMs)
  const response = await sendRequest(target, question, AbortSignal.any([target.signal, limit]))
  let text: string
  try {
    text = await response.text()
  } catch (error) {
    throw toFinding(error, question, target, ` after ${response.status} ${response.headers.get('content-type') ?? ''}`)
  }
  const { status, headers } = response
  const came = [status, headers.get('content-type'), text].filter(Boolean).join(' ')
  return { asked: describeRequest(question), came, status, headers, text, json: parse(text), afterMs: performance.now() - began }
}

function toFinding(error: unknown, question: RequestOptions, { signal, limitMs }: CheckTarget, after = ''): unknown {
  if (signal.aborted) return signal.reason
  const isLate = error instanceof Error && error.name === 'TimeoutError'
  const came = isLate
    ? `no whole answer within ${(question.limitMs ?? limitMs) / 1000} s`
    : `${after ? 'a connection that broke' : 'nothing'} (${networkReason(error)})`
  return new Finding(describeRequest(question), 'an answer', came + after)
}

export function parse(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined // not JSON: the clause that needs it reports that
  }
}

export const isFields = (value: unknown): value is Fields => typeof value === 'object' && value !== null && !Array.isArray(value)

/** Whether an answer is an error with this status and code. */
export function isRefusal({ status, json }: Exchange, expectedStatus: number, code: string): boolean {
  return status === expectedStatus && isFields(json) && json.code === code
}
