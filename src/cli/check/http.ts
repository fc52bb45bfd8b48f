/** Requests of a check: each bounded in time, each recorded in the words of a finding. */

import { reasonOf } from '../network.ts'
import type { Route } from '../proxy.ts'
import { Finding } from './clause.ts'

export type Fields = Record<string, unknown>

export interface Reach {
  base: URL
  /** Sent with every request. */
  headers: Readonly<Record<string, string>>
  token: string | undefined
  /** How long an answer, or an expected frame, may take. */
  limitMs: number
  signal: AbortSignal
  /** Default: straight. */
  route?: Pick<Route, 'fetch' | 'agent'> | undefined
}

export interface Question {
  method?: 'GET' | 'POST' | 'OPTIONS'
  url: URL
  headers?: Record<string, string>
  body?: string
  /** Default: the reach's limit. */
  limitMs?: number
  /** Without the token. */
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
  /** The body as JSON, where it is. */
  json: unknown
  afterMs: number
}

export const inWords = ({ method = 'GET', url, headers = {} }: Question): string =>
  [`${method} ${url.pathname}${url.search}`, ...Object.entries(headers).map(([name, value]) => `${name}: ${value}`)].join(', ')

export function headersFor({ headers, token }: Reach, question: Question): Record<string, string> {
  const authorization: Record<string, string> = token === undefined || question.anonymous ? {} : { authorization: `Bearer ${token}` }
  return { ...headers, ...authorization, ...question.headers }
}

/** The head of an answer, whose body is still to be read. */
export async function open(reach: Reach, question: Question, signal: AbortSignal): Promise<Response> {
  const { url, method = 'GET', body } = question
  try {
    const { fetch } = reach.route ?? globalThis
    return await fetch(url, { method, headers: headersFor(reach, question), redirect: 'manual', signal, ...(body === undefined ? {} : { body }) })
  } catch (error) {
    throw failed(error, question, reach)
  }
}

/** Asks, and reads the whole answer. Throws a finding where none comes. */
export async function ask(reach: Reach, question: Question): Promise<Exchange> {
  const began = performance.now()
  const limit = AbortSignal.timeout(question.limitMs ?? reach.limitMs)
  const response = await open(reach, question, AbortSignal.any([reach.signal, limit]))
  let text: string
  try {
    text = await response.text()
  } catch (error) {
    throw failed(error, question, reach, ` after ${response.status} ${response.headers.get('content-type') ?? ''}`)
  }
  const { status, headers } = response
  const came = [status, headers.get('content-type'), text].filter(Boolean).join(' ')
  return { asked: inWords(question), came, status, headers, text, json: parse(text), afterMs: performance.now() - began }
}

function failed(error: unknown, question: Question, { signal, limitMs }: Reach, after = ''): unknown {
  if (signal.aborted) return signal.reason
  const isLate = error instanceof Error && error.name === 'TimeoutError'
  const came = isLate
    ? `no whole answer within ${(question.limitMs ?? limitMs) / 1000} s`
    : `${after ? 'a connection that broke' : 'nothing'} (${reasonOf(error)})`
  return new Finding(inWords(question), 'an answer', came + after)
}

export function parse(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined // not JSON: whoever needs it says so
  }
}

export const isFields = (value: unknown): value is Fields => typeof value === 'object' && value !== null && !Array.isArray(value)

/** An answer that refuses with this status and code. */
export function isRefusal({ status, json }: Exchange, expectedStatus: number, code: string): boolean {
  return status === expectedStatus && isFields(json) && json.code === code
}
