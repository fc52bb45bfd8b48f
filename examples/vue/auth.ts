import type { Authorize } from 'jobtail/server'

interface User {
  id: string
}

/** Replace these by your own: they are gone with this process, and whoever asks for one is Ada. */
const sessions = new Map<string, User>()

/** Begins a session. Returns the `Set-Cookie` header for it; over https it should say `Secure` as well. */
export function signIn(): string {
  const session = crypto.randomUUID()
  sessions.set(session, { id: 'ada' })
  return `session=${session}; HttpOnly; SameSite=Lax; Path=/`
}

/** Whose session the cookie names. Browsers send it with the handshake of a WebSocket as well. */
function userOf(request: Request): User | undefined {
  const [, session] = /(?:^|;\s*)session=([^;]+)/.exec(request.headers.get('cookie') ?? '') ?? []
  return session === undefined ? undefined : sessions.get(session)
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
