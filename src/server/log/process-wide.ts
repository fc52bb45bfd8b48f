import type { EventLog } from './types.ts'
import { wrapLog } from './wrap.ts'

/** State shared by all copies of this module in one process: bundlers, Next.js among them, evaluate a module once for each of their outputs. */
interface Registry {
  /** Logs with a name, and how many callers use each. */
  named: Map<string, { log: EventLog; users: number }>
  /** How many open servers under each base path have a memory log that no other server shares. */
  privateServers: Map<string, number>
  hasWarned: boolean
}

const KEY = Symbol.for('jobtail.process')

function registry(): Registry {
  const place = globalThis as { [KEY]?: Registry } // as: the registry is kept there under a symbol
  place[KEY] ??= { named: new Map(), privateServers: new Map(), hasWarned: false }
  return place[KEY]
}

const privateLogs = new WeakSet<EventLog>()

/** Records that no other server can share this log. */
export function markPrivate(log: EventLog): EventLog {
  privateLogs.add(log)
  return log
}

/** The log of that name in this process; made by `make` where there is none. It is closed once every caller has closed it. */
export function namedLog(name: string, make: () => EventLog): EventLog {
  const { named } = registry()
  const found = named.get(name) ?? { log: make(), users: 0 }
  named.set(name, found)
  found.users += 1
  let isClosed = false
  return wrapLog(found.log, {
    async close() {
      if (isClosed) return
      isClosed = true
      found.users -= 1
      if (found.users > 0) return
      named.delete(name)
      await found.log.close()
    }
  })
}

/**
 * Warns, once in a process, where two open servers under the same path have memory logs that they don't share: a job of one is unknown to the other. Returns a
 * function to call when the server closes.
 */
export function registerServer(log: EventLog, basePath: string): () => void {
  if (!privateLogs.has(log)) return () => {}
  const known = registry()
  const count = known.privateServers.get(basePath) ?? 0
  known.privateServers.set(basePath, count + 1)
  if (count > 0 && !known.hasWarned) {
    known.hasWarned = true
    console.warn(
      `jobtail: two job servers under "${basePath}" in this process have separate memory logs: a job of one is unknown to the other. ` +
        "If your framework evaluates the module twice, as Next.js does, let them share one: createJobServer({ log: memoryLog({ name: 'jobs' }) })"
    )
  }
  return () => void known.privateServers.set(basePath, (known.privateServers.get(basePath) ?? 1) - 1)
}
