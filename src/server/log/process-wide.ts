import type { EventLog } from './types.ts'
import { wrapLog } from './wrap.ts'

/** What all copies of this module in one process know of: bundlers, Next.js among them, evaluate a module once for each of their outputs. */
interface Registry {
  /** Logs with a name, and by how many they are used. */
  named: Map<string, { log: EventLog; users: number }>
  /** The open servers, by base path, whose log nobody else has. */
  alone: Map<string, number>
  hasWarned: boolean
}

const KEY = Symbol.for('jobtail.process')

function registry(): Registry {
  const place = globalThis as { [KEY]?: Registry } // as: where it is kept
  place[KEY] ??= { named: new Map(), alone: new Map(), hasWarned: false }
  return place[KEY]
}

const alone = new WeakSet<EventLog>()

/** Nobody has this log but whom it is returned to. */
export function markAlone(log: EventLog): EventLog {
  alone.add(log)
  return log
}

/** The log of that name in this process, made where there is none. It is closed once all who have asked for it have closed it. */
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

/** Warns, once in a process, where a second server under the same path keeps its jobs to itself. Returns what is to be called when the server closes. */
export function enterProcess(log: EventLog, basePath: string): () => void {
  if (!alone.has(log)) return () => {}
  const known = registry()
  const count = known.alone.get(basePath) ?? 0
  known.alone.set(basePath, count + 1)
  if (count > 0 && !known.hasWarned) {
    known.hasWarned = true
    console.warn(
      `jobtail: this process has two job servers under "${basePath}", each with a memory log of its own: a job of one is unknown to the other. ` +
        "If your framework evaluates the module twice, as Next.js does, share the log: createJobServer({ log: memoryLog({ name: 'jobs' }) })"
    )
  }
  return () => void known.alone.set(basePath, (known.alone.get(basePath) ?? 1) - 1)
}
