import type { Authorize } from 'jobtail/server'

// Replace this by yours: look a session up, or verify a token.
const users = new Map([
  ['ada-token', { id: 'ada' }],
  ['bob-token', { id: 'bob' }]
])

/** Who sends this request. WebSockets come through here too: their token is put into the same header. */
export function userOf(request: Request): { id: string } | undefined {
  const [, token] = /^Bearer (\S+)$/i.exec(request.headers.get('authorization') ?? '') ?? []
  return token === undefined ? undefined : users.get(token)
}

/** Puts the owner into a job's id, so that `authorize` knows whose it is without asking a database. */
export const idOf = ({ id, subject }: { id: string; subject: string | undefined }): string => `${subject}.${id}`

const ownerOf = (jobId: string): string | undefined => /^(.+)\.[\w-]+$/.exec(jobId)?.[1]

/** Every user may start jobs. Only its owner may follow or cancel a job. */
export const authorize: Authorize = ({ request, jobId }) => {
  const user = userOf(request)
  if (!user) return { status: 401 }
  if (jobId !== undefined && ownerOf(jobId) !== user.id) return { status: 403 }
  return { allow: true, subject: user.id }
}
