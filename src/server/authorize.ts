import { show } from './log/entry.ts'
import { forbidden, internal, unauthorized } from './problem.ts'
import type { Action, Permission, Settings } from './types.ts'

export interface Grant {
  /** Ms since 1970, or Infinity. */
  expiresAt: number
  /** Who asks. */
  subject: string
}

/** Resolves with what was granted; throws the refusal otherwise. */
export async function permit({ authorize, onError }: Settings, request: Request, action: Action, jobId?: string): Promise<Grant> {
  let answer: Permission | undefined
  try {
    answer = checkPermission(await authorize({ request, action, ...(jobId === undefined ? {} : { jobId }) }))
  } catch (error) {
    onError(error)
    throw internal()
  }
  const credentials = request.headers.get('authorization') ?? request.headers.get('cookie')
  if (!answer) throw credentials === null ? unauthorized() : forbidden()
  if (answer === true) return { expiresAt: Number.POSITIVE_INFINITY, subject: credentials ?? '' }
  if ('status' in answer) throw answer.status === 401 ? unauthorized() : forbidden()
  const { expiresAt = Number.POSITIVE_INFINITY, subject = credentials ?? '' } = answer
  if (expiresAt <= Date.now()) throw unauthorized()
  return { expiresAt, subject }
}

/** What is none of these may have been meant as a no. */
function checkPermission(answer: Permission | undefined): Permission | undefined {
  if (typeof answer === 'boolean' || answer == null) return answer
  if (!['status', 'expiresAt', 'subject'].some((name) => name in Object(answer)))
    throw new TypeError(`authorize: expected true, false, or an object with status, expiresAt or subject, got ${show(answer)}`)
  // An alarm takes NaN and text for "at once": clients would come back and be sent away without end.
  if ('expiresAt' in answer && answer.expiresAt !== undefined && Number(answer.expiresAt) !== answer.expiresAt)
    throw new TypeError(`authorize: expected expiresAt to be ms since 1970, got ${show(answer.expiresAt)}`)
  return answer
}
