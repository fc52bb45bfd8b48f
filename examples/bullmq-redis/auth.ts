import type { Authorize } from 'jobtail/server'

// Replace this by yours: look a session up, or verify a token.
const users = new Map([
  ['ada-token', { id: 'ada' }],
  ['bob-token', { id: 'bob' }]
])

/** Whose token the header `Authorization` has. WebSockets come with one too: the job server makes it of their token. */
export function userOf(authorization: string | null | undefined): { id: string } | undefined {
  const [, token] = /^Bearer (\S+)$/i.exec(authorization ?? '') ?? []
  return token === undefined ? undefined : users.get(token)
}

/** The owner is in a job's id, so that `authorize` knows whose it is without asking a database. */
export const newJobId = (user: { id: string }): string => `${user.id}.${crypto.randomUUID()}`

const ownerOf = (jobId: string): string | undefined => /^(.+)\.[\w-]+$/.exec(jobId)?.[1]

/** Only its owner may follow or cancel a job. */
export const authorize: Authorize = ({ request, jobId }) => {
  const user = userOf(request.headers.get('authorization'))
  if (!user) return { status: 401 }
  if (jobId !== undefined && ownerOf(jobId) !== user.id) return { status: 403 }
  return { allow: true, subject: user.id }
}
