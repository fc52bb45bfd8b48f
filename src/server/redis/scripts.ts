import { createHash } from 'node:crypto'
import { lostData, rerunData } from '../log/entry.ts'

/** Lua that Redis runs as one step, and the name that it keeps it by. */
export interface Script {
  lua: string
  sha: string
}

const script = (...parts: string[]): Script => {
  const lua = parts.join('\n')
  return { lua, sha: createHash('sha1').update(lua).digest('hex') }
}

const NAMED = `
local arg, named = {}, tonumber(ARGV[1])
for at = 2, 2 * named, 2 do arg[ARGV[at]] = ARGV[at + 1] end
`

/** The fields of a stream's entry, in this order. */
const put = (seq: string, type: string, data: string, name: string) =>
  `redis.call('XADD', events, ${seq} .. '-0', 'type', ${type}, 'ms', ms, 'data', ${data}, 'name', ${name})`
export const TYPE = 1
export const MS = 3
export const DATA = 5

const lost = JSON.stringify(lostData('MS')).split('MS')
/** Around the attempt, a number, and the lease's ms. */
const again = JSON.stringify(rerunData('MS', 'ATTEMPT')).split(/"ATTEMPT"|MS/)

/**
 * Finds the log and says where it stands. Each log knows which run of Redis it was last written in: in another one it may
 * have lost its tail (a kill before the tail was on disk, an older copy, a replica that was behind). So may one whose end is
 * before what this process has seen of it. Both take the new epoch.
 *
 * A lease that is over is given a time of grace, and its owner is woken; once that is over as well, the job ends, or is queued for another attempt. What Redis refuses of it (it is full) is
 * left for whoever looks next.
 *
 * KEYS: state, events, gone.
 */
const FIND = `
local state, events, gone = KEYS[1], KEYS[2], KEYS[3]
local function digits(n) return string.format('%.0f', n) end
local time = redis.call('TIME')
local now = tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)
local ms, run = digits(now), arg.run or ''
local found = redis.call('HMGET', state, 'epoch', 'seq', 'status', 'run', 'owner', 'leaseMs', 'until', 'warned', 'bytes', 'maxAttempts', 'attempt')
local epoch, seq, status, owner = found[1], tonumber(found[2]), found[3], found[5]
local leaseMs, untilMs, bytes = tonumber(found[6]), tonumber(found[7]), tonumber(found[9]) or 0
local maxAttempts, attempt = tonumber(found[10]), tonumber(found[11]) or 1
if epoch and ((found[4] ~= run and not arg.assumeNoLoss) or (epoch == arg.seenEpoch and seq < tonumber(arg.seenSeq))) then
  epoch = arg.fresh
  redis.call('HSET', state, 'epoch', epoch, 'run', run)
end
local isOver = status == 'succeeded' or status == 'failed' or status == 'cancelled'

local function keepFor(ttl)
  if not ttl then return end
  redis.call('PEXPIRE', state, digits(ttl))
  redis.call('PEXPIRE', events, digits(ttl))
end
local function keepEnded()
  if not arg.ttl then return end
  keepFor(tonumber(arg.ttl))
  redis.call('SET', gone, '1', 'PX', digits(tonumber(arg.ttl) * 2))
end
local function tried(...)
  local reply = redis.pcall(...)
  return not (type(reply) == 'table' and reply.err)
end

if epoch and not isOver and owner and untilMs <= now and arg.owner ~= owner then
  if found[8] ~= '1' then
    untilMs = now + math.min(leaseMs, 3000)
    if tried('HSET', state, 'until', digits(untilMs), 'warned', '1') then redis.call('PUBLISH', arg.channel, '?lease') end
  elseif maxAttempts and attempt < maxAttempts and not redis.call('HMGET', state, 'cancelling')[1] then
    local data = '${again[0]}' .. digits(attempt + 1) .. '${again[1]}' .. digits(leaseMs) .. '${again[2]}'
    bytes = bytes + #data + 2
    if tried('HSET', state, 'run', run, 'seq', digits(seq + 2), 'status', 'queued', 'attempt', digits(attempt + 1), 'bytes', digits(bytes)) then
      redis.call('HDEL', state, 'owner', 'leaseMs', 'until', 'warned')
      seq, status, attempt, owner = seq + 2, 'queued', attempt + 1, false
      ${put('digits(seq - 1)', "'retrying'", 'data', "''")}
      ${put('digits(seq)', "'queued'", "'{}'", "''")}
      keepFor(tonumber(arg.idleTtl))
      redis.call('PUBLISH', arg.channel, 'queued')
    end
  else
    local data = '${lost[0]}' .. digits(leaseMs) .. '${lost[1]}'
    if tried('HSET', state, 'run', run, 'seq', digits(seq + 1), 'status', 'failed', 'error', data) then
      seq, status, isOver = seq + 1, 'failed', true
      redis.call('HDEL', state, 'input', 'maxAttempts', 'attempt')
      ${put('digits(seq)', "'failed'", 'data', "''")}
      keepEnded()
      redis.call('PUBLISH', arg.channel, 'failed')
    end
  end
end
-- An owner who has lost a job that is run again doesn't get it back by asking for it.
local isAnothers = (owner or maxAttempts) and owner ~= arg.owner
`

/** Answers with the first event's seq and ms: all of them are in a row. */
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

-- What Redis may refuse comes first, and what it refuses when it is full before what it takes nevertheless: a script is not undone.
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

const MISSING = `if not epoch then return { redis.call('EXISTS', gone) == 1 and 'gone' or 'unknown' } end`

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

export const SNAPSHOT: Script = script(
  NAMED,
  FIND,
  MISSING,
  `
return { 'snapshot', epoch, seq, status, redis.call('HMGET', state, 'progress', 'result', 'error', 'cancelling') }
`
)

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

export const RESET: Script = script(
  NAMED,
  `
redis.call('PUBLISH', arg.channel, '')
return { redis.call('DEL', KEYS[1], KEYS[2], KEYS[3]) }
`
)

export const ALL: readonly Script[] = [APPEND, READ, SNAPSHOT, RENEW, RESET]
