import { createHash } from 'node:crypto'
import { FIND, NAMED, put } from './find-script.ts'

/** A Lua script, which Redis executes atomically, and the SHA-1 by which Redis knows it. */
export interface Script {
  lua: string
  sha: string
}

const script = (...parts: string[]): Script => {
  const lua = parts.join('\n')
  return { lua, sha: createHash('sha1').update(lua).digest('hex') }
}

/**
 * Appends events and updates the snapshot. Returns `{'appended', epoch, seq of the first event, ms}`, or why nothing was appended: `{'conflict', seq}`,
 * `{'ended', status}`, `{'held'}`.
 */
export const APPEND: Script = script(
  NAMED,
  FIND,
  `
local first = 2 * named + 2
local count = (#ARGV - first + 1) / 2
local function appended()
  local from = arg.afterEpoch == epoch and digits(tonumber(arg.afterSeq) + 1) .. '-0' or '-'
  local to = '+'
  for _ = 1, 100 do
    local entries = redis.call('XREVRANGE', events, to, from, 'COUNT', 10)
    for _, entry in ipairs(entries) do
      if entry[2][8] == arg.name then return entry end
    end
    if #entries < 10 then return end
    to = '(' .. entries[10][1]
  end
end
local before = epoch and arg.again and appended()
if before then return { 'appended', epoch, tonumber(string.match(before[1], '^%d+')), tonumber(before[2][4]) } end
if arg.expect and tonumber(arg.expect) ~= (seq or 0) then return { 'conflict', seq or 0 } end
if isOver then return { 'ended', status } end
if arg.owner and isAnothers then return { 'held' } end
if not epoch then epoch, seq, status = arg.fresh, 0, 'queued' end
local isNew = seq == 0

local fields = { 'epoch', epoch, 'run', run, 'seq', digits(seq + count), 'status', arg.status or status }
local function set(name, value) fields[#fields + 1] = name fields[#fields + 1] = value end
for _, name in ipairs({ 'progress', 'result', 'error', 'cancelling' }) do
  if arg[name] then set(name, ARGV[first + 2 * tonumber(arg[name]) - 1]) end
end
if arg.owner then
  set('owner', arg.owner) set('leaseMs', arg.lease) set('until', digits(now + tonumber(arg.lease))) set('warned', '0')
end
if arg.maxAttempts then set('maxAttempts', arg.maxAttempts) set('attempt', '1') set('input', arg.input or '') end

-- Redis doesn't roll a script back. So the commands that it may refuse come first: PUBLISH (by ACL), then HSET (when its memory is full).
redis.call('PUBLISH', arg.channel, arg.type)
redis.call('HSET', state, unpack(fields))
if isNew then redis.call('DEL', events, gone) bytes = 0 end
for at = first, #ARGV, 2 do
  seq = seq + 1
  bytes = bytes + #ARGV[at + 1]
  ${put('digits(seq)', 'ARGV[at]', 'ARGV[at + 1]', "at == first and arg.name or ''")}
end
local length = redis.call('XLEN', events)
local maxEvents, maxBytes = tonumber(arg.maxEvents), tonumber(arg.maxBytes) or math.huge
while length > maxEvents or (bytes > maxBytes and length > 1) do
  local oldest = redis.call('XRANGE', events, '-', '+', 'COUNT', 1)[1]
  redis.call('XDEL', events, oldest[1])
  length, bytes = length - 1, bytes - #oldest[2][6]
end
redis.call('HSET', state, 'bytes', digits(bytes))
if arg.last then
  if maxAttempts or arg.maxAttempts then redis.call('HDEL', state, 'input', 'maxAttempts', 'attempt') end
  keepEnded()
elseif arg.owner then keepFor(arg.ttl and tonumber(arg.lease) + tonumber(arg.ttl))
elseif not owner then keepFor(tonumber(arg.idleTtl)) end
return { 'appended', epoch, seq - count + 1, now }
`
)

/** Returns `{'gone'}` or `{'unknown'}` for a job without a log. */
const MISSING = `if not epoch then return { redis.call('EXISTS', gone) == 1 and 'gone' or 'unknown' } end`

/** Returns `{'page', epoch, last seq, seq before the first entry, has ended, entries, ms until the lease expires or -1}`. */
export const READ: Script = script(
  NAMED,
  FIND,
  MISSING,
  `
local at = seq - redis.call('XLEN', events)
local asked = tonumber(arg.afterSeq)
if arg.afterEpoch == epoch and asked and asked >= at and asked <= seq then at = asked end
local entries = at < seq and redis.call('XRANGE', events, digits(at + 1) .. '-0', '+', 'COUNT', arg.limit) or {}
return { 'page', epoch, seq, at, isOver and 1 or 0, entries, owner and not isOver and untilMs - now or -1 }
`
)

/** Returns `{'snapshot', epoch, seq, status, {progress, result, error, cancelling}}`. */
export const SNAPSHOT: Script = script(
  NAMED,
  FIND,
  MISSING,
  `
return { 'snapshot', epoch, seq, status, redis.call('HMGET', state, 'progress', 'result', 'error', 'cancelling') }
`
)

/** Takes, renews or releases (`lease` 0) the lease. Returns `{1}` where the owner has it, with `adopt` `{1, input, attempt}`, else `{0}`. */
export const RENEW: Script = script(
  NAMED,
  FIND,
  `
if not epoch then return { (arg.adopt or redis.call('EXISTS', gone) == 1) and 0 or 1 } end
if arg.adopt and (isOver or not maxAttempts or (owner and owner ~= arg.owner)) then return { 0 } end
if not arg.adopt and (isOver or isAnothers) then return { 0 } end
if arg.lease == '0' then
  redis.call('HDEL', state, 'owner', 'leaseMs', 'until', 'warned')
  keepFor(tonumber(arg.idleTtl))
  if maxAttempts then redis.call('PUBLISH', arg.channel, 'queued') end
  return { 1 }
end
redis.call('HSET', state, 'owner', arg.owner, 'leaseMs', arg.lease, 'until', digits(now + tonumber(arg.lease)), 'warned', '0')
keepFor(arg.ttl and tonumber(arg.lease) + tonumber(arg.ttl))
return arg.adopt and { 1, redis.call('HMGET', state, 'input')[1], attempt } or { 1 }
`
)

/** Deletes the job, and wakes its watchers with an empty message. */
export const RESET: Script = script(
  NAMED,
  `
redis.call('PUBLISH', arg.channel, '')
return { redis.call('DEL', KEYS[1], KEYS[2], KEYS[3]) }
`
)

/** Every script, to be loaded when a connection is made. */
export const ALL: readonly Script[] = [APPEND, READ, SNAPSHOT, RENEW, RESET]
