const REASONS: readonly (readonly [pattern: RegExp, reason: string])[] = [
  [/\bOOM\b/, 'Redis is out of memory (maxmemory) and stores no event: raise maxmemory, or shorten ttlMs'],
  [/\bMISCONF\b/, 'Redis stores nothing, since it cannot write to its disk'],
  [/\bNOREPLICAS\b/, 'Redis stores nothing, since it has too few replicas (min-replicas-to-write)'],
  [/\bREADONLY\b/, 'this Redis is a read-only replica: connect to the master, by its address, a Sentinel or a Cluster'],
  [/\bCLUSTERDOWN\b/, 'the Redis Cluster is down'],
  [/\bBUSY\b/, 'another script keeps Redis busy']
]

/** The cause of an error that may pass, in words. */
export const reasonOf = (message: string): string => REASONS.find(([pattern]) => pattern.test(message))?.[1] ?? 'Redis refuses commands for now'

/** The errors by which an ACL denies something: the first before Redis 7, the others since. */
const DENIED = /\bNOPERM\b|ACL failure|no permissions|can't run this command/i

/**
 * Turns an ACL error into one that says what the Redis user may not do, and which permissions it needs. Redis names neither the key nor the channel; before 7.2
 * not even the command, only the script's line (`lua`). Other errors are returned as they are.
 */
export function explainDenied(error: unknown, key: string, lua = ''): unknown {
  if (!(error instanceof Error && DENIED.test(error.message))) return error
  const prefix = key.slice(0, key.indexOf('{'))
  const needs = `jobtail needs +@read +@write +@pubsub +@scripting +@connection +time, the keys ~${prefix}* and the channels &${prefix}*`
  return new Error(`the Redis user is not allowed to ${deniedIn(error.message, key, lua)}: ${needs} (${error.message})`, { cause: error })
}

/** The same for an ACL error of SUBSCRIBE. */
export function explainDeniedSubscribe(error: Error, channel: string): unknown {
  const prefix = channel.slice(0, channel.indexOf('{'))
  if (!DENIED.test(error.message)) return error
  return new Error(
    `the Redis user is not allowed to subscribe to the channel ${JSON.stringify(channel)}: jobtail needs +@pubsub and the channels &${prefix}* (${error.message})`,
    {
      cause: error
    }
  )
}

function deniedIn(message: string, key: string, lua: string): string {
  const [, command] = /(?:run|execute) the '([^']+)' (?:sub)?command/i.exec(message) ?? []
  if (command !== undefined) return `use the command ${command.toUpperCase()}`
  if (/channel/i.test(message)) return `publish to the channel ${JSON.stringify(key.replace(/state$/, 'wake'))}`
  if (/key/i.test(message)) return `use the key ${JSON.stringify(key)}`
  const [, line] = /@?user_script:(\d+)/.exec(message) ?? []
  const [, called] = /call\('(\w+)'/.exec(lua.split('\n')[Number(line) - 1] ?? '') ?? []
  return called === undefined ? 'do this' : `use the command ${called}`
}
