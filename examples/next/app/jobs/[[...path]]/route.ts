import { after, type NextRequest } from 'next/server'
import { SESSION, userOf } from '../../../lib/auth'
import { jobs } from '../../../lib/jobs'

/** `after` keeps Next from ending the process while a job that this request has started is running. */
const handle = (request: NextRequest): Promise<Response> =>
  jobs.fetch(request, { user: userOf(request.cookies.get(SESSION)?.value), waitUntil: (work: Promise<unknown>) => after(work) })

export { handle as GET, handle as POST }
