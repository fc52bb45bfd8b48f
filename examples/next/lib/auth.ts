import type { Authorize } from 'jobtail/server/fetch'

export interface User {
  id: string
}

/** The cookie of a session. */
export const SESSION = 'session'

// Replace these by your own, such as those of Auth.js.
const sessions = new Map<string, User>([
  ['ada-session', { id: 'ada' }],
  ['bob-session', { id: 'bob' }]
])

export const userOf = (session: string | undefined): User | undefined => (session === undefined ? undefined : sessions.get(session))

/** Puts the owner into a job's id, so that `authorize` knows whose it is without asking a database. */
export const idOf = ({ id, subject }: { id: string; subject: string | undefined }): string => `${subject}.${id}`

export const isOwner = (user: User | undefined, jobId: string): boolean => user !== undefined && /^(.+)\.[\w-]+$/.exec(jobId)?.[1] === user.id

/** Every user may start jobs. Only its owner may follow or cancel a job. */
export const authorize: Authorize = ({ jobId, source }) => {
  const { user } = source.context as { user: User | undefined } // as: what the route handler passes
  if (!user) return { status: 401 }
  if (jobId !== undefined && !isOwner(user, jobId)) return { status: 403 }
  return { allow: true, subject: user.id }
}
