import { forbidden, internal, unauthorized } from './problem.ts'
import type { Action, Settings } from './types.ts'

export interface Grant {
  /** Ms since 1970, or Infinity. */
  expiresAt: number
  /** Who asks. */
  subject: string
}

/** Resolves with what was granted; throws the refusal otherwise. */
export async function permit({ authorize, onError }: Settings, request: Request, action: Action, jobId?: string): Promise<Grant> {
  let answer: Awaited<ReturnType<typeof authorize>>
  try {
    answer = await authorize({ request, action, ...(jobId === undefined ? {} : { jobId }) })
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
