import { forbidden, type HttpError, internal, unauthorized } from './http-error.ts'
import type { RequestContext } from './request-context.ts'
import type { Action, Settings } from './types.ts'

export interface Authorization {
  /** Ms since 1970, or Infinity. */
  expiresAt: number
  /** Who asks, where `authorize` has said so. */
  subject: string | undefined
}

/** Who asks, as `authorize` is told. */
export type Asker = Pick<RequestContext, 'request' | 'source'>

const EXPECTED = 'true, false, { status: 401 or 403 }, or { allow: true, subject?, expiresAt? }'
/** In ms that is March 1973; in seconds it is the year 5138. */
const EARLIEST_EXPIRY_MS = 1e11
const UNLIMITED: Authorization = { expiresAt: Number.POSITIVE_INFINITY, subject: undefined }

/** Resolves with what was granted; throws the refusal otherwise. */
export async function authorizeRequest({ authorize, onError }: Settings, { request, source }: Asker, action: Action, jobId?: string): Promise<Authorization> {
  if (!authorize) return UNLIMITED
  let granted: Authorization | HttpError
  try {
    const answer: unknown = await authorize({ request, action, source, ...(jobId === undefined ? {} : { jobId }) })
    granted = judge(answer, request)
  } catch (error) {
    onError(error)
    throw internal()
  }
  if (granted instanceof Error) throw granted
  if (granted.expiresAt <= Date.now()) throw unauthorized()
  return granted
}

/** What an answer means. Throws a `TypeError` for one that is none: it may have been meant as a no, so it is never a yes. */
function judge(answer: unknown, request: Request): Authorization | HttpError {
  if (answer === true) return UNLIMITED
  if (answer === false || answer == null) return hasCredentials(request) ? forbidden() : unauthorized()
  if (typeof answer !== 'object') throw mistake(EXPECTED, answer)
  const members = Object.keys(answer)
  const { status, allow, subject, expiresAt } = answer as Record<string, unknown> // as: any object may be asked
  if (members.length === 1 && members[0] === 'status') {
    if (status === 401) return unauthorized()
    if (status === 403) return forbidden()
  }
  if (!members.includes('allow') || allow !== true || members.some((name) => !KNOWN.has(name))) throw mistake(EXPECTED, answer)
  return {
    subject: members.includes('subject') ? checkSubject(subject, answer) : undefined,
    expiresAt: members.includes('expiresAt') ? checkExpiry(expiresAt, answer) : UNLIMITED.expiresAt
  }
}

const KNOWN = new Set(['allow', 'subject', 'expiresAt'])

const hasCredentials = ({ headers }: Request): boolean => headers.has('authorization') || headers.has('cookie')

function checkSubject(subject: unknown, answer: object): string {
  if (typeof subject === 'string' && subject !== '') return subject
  throw mistake('subject to be text that names who asks, and to be left out where nobody is known', answer)
}

/** A timer takes NaN and text for "at once": clients would come back and be sent away without end. */
function checkExpiry(expiresAt: unknown, answer: object): number {
  if (typeof expiresAt !== 'number' || Number.isNaN(expiresAt)) throw mistake('expiresAt to be ms since 1970, and to be left out where there is none', answer)
  if (expiresAt < EARLIEST_EXPIRY_MS) throw mistake('expiresAt to be ms since 1970 (this looks like seconds: times 1000?)', answer)
  return expiresAt
}

const mistake = (expected: string, came: unknown): TypeError => new TypeError(`authorize: expected ${expected}, got ${describe(came)}`)

/** An object by its members, so that what is misspelt or missing is seen. */
function describe(came: unknown): string {
  if (typeof came === 'function') return 'a function, which was not called'
  if (typeof came !== 'object' || came === null) return brief(came)
  if (Array.isArray(came)) return `a list of ${came.length}`
  const members = Object.entries(came).map(([name, value]) => `${name}: ${brief(value)}`)
  if (members.length === 0) return `${came.constructor?.name ?? 'Object'} {}`
  return members.length > 8 ? `{ ${members.slice(0, 8).join(', ')}, … }` : `{ ${members.join(', ')} }`
}

function brief(value: unknown): string {
  if (value instanceof Promise) return 'a promise, which was not awaited'
  if (typeof value === 'function') return 'a function'
  if (typeof value === 'object' && value !== null) return Array.isArray(value) ? 'a list' : 'an object'
  const text = typeof value === 'string' ? JSON.stringify(value) : String(value)
  return text.length > 40 ? `${text.slice(0, 40)}…` : text
}
