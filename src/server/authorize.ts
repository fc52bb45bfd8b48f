import { forbidden, type HttpError, internal, unauthorized } from './http-error.ts'
import type { Action } from './permission.ts'
import type { RequestContext } from './request-context.ts'
import type { Settings } from './server-options.ts'

/** A permission that `authorize` gave. */
export interface Authorization {
  /** In ms since 1970, or `Infinity`. */
  expiresAt: number
  /** Who sent the request, where `authorize` named a subject. */
  subject: string | undefined
}

/** The request and its sender, as `authorize` gets them. */
export type Requester = Pick<RequestContext, 'request' | 'source'>

const VALID_ANSWERS = 'true, false, { status: 401 or 403 }, or { allow: true, subject?, expiresAt? }'
/** As ms this is March 1973, as seconds the year 5138: a smaller `expiresAt` was meant as seconds. */
const EARLIEST_EXPIRY_MS = 1e11
const UNLIMITED: Authorization = { expiresAt: Number.POSITIVE_INFINITY, subject: undefined }

/** Asks `authorize`. Resolves with the permission. Throws an `HttpError`: 401, 403, or 500 where `authorize` throws or gives an invalid answer. */
export async function authorizeRequest(
  { authorize, onError }: Settings,
  { request, source }: Requester,
  action: Action,
  jobId?: string
): Promise<Authorization> {
  if (!authorize) return UNLIMITED
  let outcome: Authorization | HttpError
  try {
    const answer: unknown = await authorize({ request, action, source, ...(jobId === undefined ? {} : { jobId }) })
    outcome = interpret(answer, request)
  } catch (error) {
    onError(error)
    throw internal()
  }
  if (outcome instanceof Error) throw outcome
  if (outcome.expiresAt <= Date.now()) throw unauthorized()
  return outcome
}

/** Interprets an answer of `authorize`. Throws a `TypeError` for an invalid one: it may have been meant as a refusal, so it never permits. */
function interpret(answer: unknown, request: Request): Authorization | HttpError {
  if (answer === true) return UNLIMITED
  if (answer === false || answer == null) return hasCredentials(request) ? forbidden() : unauthorized()
  if (typeof answer !== 'object') throw invalidAnswer(VALID_ANSWERS, answer)
  const members = Object.keys(answer)
  const { status, allow, subject, expiresAt } = answer as Record<string, unknown> // as: any object has properties to look for; each is checked below
  if (members.length === 1 && members[0] === 'status') {
    if (status === 401) return unauthorized()
    if (status === 403) return forbidden()
  }
  if (!members.includes('allow') || allow !== true || members.some((name) => !MEMBERS.has(name))) throw invalidAnswer(VALID_ANSWERS, answer)
  return {
    subject: members.includes('subject') ? checkSubject(subject, answer) : undefined,
    expiresAt: members.includes('expiresAt') ? checkExpiry(expiresAt, answer) : UNLIMITED.expiresAt
  }
}

const MEMBERS = new Set(['allow', 'subject', 'expiresAt'])

const hasCredentials = ({ headers }: Request): boolean => headers.has('authorization') || headers.has('cookie')

function checkSubject(subject: unknown, answer: object): string {
  if (typeof subject === 'string' && subject !== '') return subject
  throw invalidAnswer('subject to be a non-empty string, or left out where the sender is unknown', answer)
}

/** Timers take NaN and strings for 0: clients would reconnect and be sent away in a loop. */
function checkExpiry(expiresAt: unknown, answer: object): number {
  if (typeof expiresAt !== 'number' || Number.isNaN(expiresAt))
    throw invalidAnswer('expiresAt to be ms since 1970, or left out where the permission does not end', answer)
  if (expiresAt < EARLIEST_EXPIRY_MS) throw invalidAnswer('expiresAt to be ms since 1970 (this looks like seconds: times 1000?)', answer)
  return expiresAt
}

const invalidAnswer = (expected: string, answer: unknown): TypeError => new TypeError(`authorize: expected ${expected}, got ${describe(answer)}`)

/** Quotes an answer in an error message. An object is quoted by its members, so that a misspelt or missing one can be seen. */
function describe(answer: unknown): string {
  if (typeof answer === 'function') return 'a function, which was not called'
  if (typeof answer !== 'object' || answer === null) return brief(answer)
  if (Array.isArray(answer)) return `a list of ${answer.length}`
  const members = Object.entries(answer).map(([name, value]) => `${name}: ${brief(value)}`)
  if (members.length === 0) return `${answer.constructor?.name ?? 'Object'} {}`
  return members.length > 8 ? `{ ${members.slice(0, 8).join(', ')}, … }` : `{ ${members.join(', ')} }`
}

function brief(value: unknown): string {
  if (value instanceof Promise) return 'a promise, which was not awaited'
  if (typeof value === 'function') return 'a function'
  if (typeof value === 'object' && value !== null) return Array.isArray(value) ? 'a list' : 'an object'
  const text = typeof value === 'string' ? JSON.stringify(value) : String(value)
  return text.length > 40 ? `${text.slice(0, 40)}…` : text
}
