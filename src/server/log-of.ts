import type { EventLog } from './log/types.ts'
import type { JobServer } from './types.ts'

const logs = new WeakMap<JobServer, EventLog>()

/** Lets parts of the kit that take a server find its log, which is no business of anybody else. */
export function rememberLog(server: JobServer, log: EventLog): void {
  logs.set(server, log)
}

export const logOf = (server: JobServer | EventLog): EventLog | undefined => {
  if ('append' in server) return server
  return logs.get(server)
}
