const REASONS: readonly (readonly [pattern: RegExp, reason: string])[] = [
  [/\bOOM\b/, 'Redis is out of memory (maxmemory) and takes no event: give it more, or let jobs expire sooner'],
  [/\bMISCONF\b/, 'Redis takes nothing, since it cannot write to its disk'],
  [/\bNOREPLICAS\b/, 'Redis takes nothing, since it has too few replicas (min-replicas-to-write)'],
  [/\bREADONLY\b/, 'this Redis is a read-only replica: the address of the master is needed, or a Sentinel, or a Cluster'],
  [/\bCLUSTERDOWN\b/, 'the Redis Cluster is down'],
  [/\bBUSY\b/, "somebody's script keeps Redis busy"]
]

/** Why Redis refuses for the time being. */
export const reasonOf = (message: string): string => REASONS.find(([pattern]) => pattern.test(message))?.[1] ?? 'Redis refuses for now'

/** What an ACL refuses in these words, before Redis 7 and after. */
const DENIED = /\bNOPERM\b|ACL failure|no permissions|can't run this command/i

/** What the user may not do, and what he has to be allowed. Redis names no key and no channel; before 7.2 not even the command, but the script's line. */
export function inWords(error: unknown, key: string, lua = ''): unknown {
  if (!(error instanceof Error && DENIED.test(error.message))) return error
  const prefix = key.slice(0, key.indexOf('{'))
  const needs = `jobtail needs +@read +@write +@pubsub +@scripting +@connection +time, the keys ~${prefix}* and the channels &${prefix}*`
  return new Error(`the Redis user is not allowed to ${deniedIn(error.message, key, lua)}: ${needs} (${error.message})`, { cause: error })
}

/** The same of a channel that could not be listened to. */
export function listeningInWords(error: Error, channel: string): unknown {
  const prefix = channel.slice(0, channel.indexOf('{'))
  if (!DENIED.test(error.message)) return error
  return new Error(
    `the Redis user is not allowed to listen to the channel ${JSON.stringify(channel)}: jobtail needs +@pubsub and the channels &${prefix}* (${error.message})`,
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
