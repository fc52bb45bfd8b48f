import { createJobServer, memoryLog } from 'jobtail/server/fetch'
import { authorize, idOf } from './auth'
import { makeReport } from './report'

export const jobs = createJobServer({
  authorize,
  idOf,
  start: makeReport,
  // Next evaluates this module more than once: for pages and for route handlers, and at each change in development.
  // A log with a name is one log for all of them. On several machines, use `redisLog` of jobtail/server/redis.
  log: memoryLog({ name: 'jobs' })
})
