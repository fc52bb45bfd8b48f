import { createHash } from 'node:crypto'

/** Lua that Redis runs as one step, and the name that it keeps it by. */
export interface Script {
  lua: string
  sha: string
}

const script = (...parts: string[]): Script => {
  const lua = parts.join('\n')
  return { lua, sha: createHash('sha1').update(lua).digest('hex') }
}

/**
 * Finds the log and says where it stands. Each log knows which run of Redis it was last written in: in another one it may
 * have lost its tail (a kill before the tail was on disk, an older copy, a replica that was behind). So may one whose end is
 * before what this process has seen of it. Both take the new epoch.
 *
 * KEYS: state, events, gone. ARGV: 1 a new epoch, 2 '1' where Redis loses nothing at a restart, 3 the epoch and 4 the seq seen last.
 */
const FIND = `
local state, events, gone = KEYS[1], KEYS[2], KEYS[3]
local freshEpoch, isDurable, seenEpoch, seenSeq = ARGV[1], ARGV[2] == '1', ARGV[3], tonumber(ARGV[4])
local run = string.match(redis.call('INFO', 'server'), 'run_id:(%w+)') or ''
local found = redis.call('HMGET', state, 'epoch', 'seq', 'status', 'run')
local epoch, seq, status = found[1], tonumber(found[2]), found[3]
if epoch and ((found[4] ~= run and not isDurable) or (epoch == seenEpoch and seq < seenSeq)) then
  epoch = freshEpoch
  redis.call('HSET', state, 'epoch', epoch, 'run', run)
end
local isOver = status == 'succeeded' or status == 'failed' or status == 'cancelled'
local function digits(n) return string.format('%.0f', n) end
`

/**
 * ARGV: 5 type, 6 data, 7 the status after it ('' as before), 8 the snapshot's field for the data ('' none), 9 '1' for the last event,
 * 10 the seq expected before it ('' any), 11 maxEvents, 12 ttlMs ('' for ever), 13 the channel, 14 a name of this append.
 * Where it was tried before: 15 the epoch and 16 the seq that were seen last when it was tried first. It is after them, if it is there.
 */
export const APPEND: Script = script(
  FIND,
  `
local type, data, nextStatus, field, isLast = ARGV[5], ARGV[6], ARGV[7], ARGV[8], ARGV[9] == '1'
local expected, maxEvents, ttl, channel, name = ARGV[10], ARGV[11], ARGV[12], ARGV[13], ARGV[14]
if epoch and ARGV[15] then
  local from = ARGV[15] == epoch and digits(tonumber(ARGV[16]) + 1) .. '-0' or '-'
  for _, entry in ipairs(redis.call('XREVRANGE', events, '+', from, 'COUNT', 1000)) do
    local values = entry[2]
    if values[8] == name then return { 'appended', epoch, tonumber(string.match(entry[1], '^%d+')), tonumber(values[4]) } end
  end
end
if expected ~= '' and tonumber(expected) ~= (seq or 0) then return { 'conflict', seq or 0 } end
if isOver then return { 'ended', status } end
if not epoch then epoch, seq, status = freshEpoch, 0, 'queued' end
seq = seq + 1
-- What Redis may refuse comes first, and what it refuses when it is full before what it takes nevertheless: a script is not undone.
redis.call('PUBLISH', channel, '')
redis.call('HSET', state, 'epoch', epoch, 'run', run, 'seq', digits(seq), 'status', nextStatus == '' and status or nextStatus)
if seq == 1 then redis.call('DEL', events, gone) end
local time = redis.call('TIME')
local ms = digits(tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000))
redis.call('XADD', events, 'MAXLEN', '=', maxEvents, digits(seq) .. '-0', 'type', type, 'ms', ms, 'data', data, 'name', name)
if field ~= '' then redis.call('HSET', state, field, data) end
if isLast and ttl ~= '' then
  redis.call('PEXPIRE', state, ttl)
  redis.call('PEXPIRE', events, ttl)
  redis.call('SET', gone, '1', 'PX', digits(tonumber(ttl) * 2))
end
return { 'appended', epoch, seq, tonumber(ms) }
`
)

/** ARGV: 5 the epoch and 6 the seq to read after ('' from the oldest), 7 how many. */
export const READ: Script = script(
  FIND,
  `
if not epoch then return { redis.call('EXISTS', gone) == 1 and 'gone' or 'unknown' } end
local at = seq - redis.call('XLEN', events)
local asked = tonumber(ARGV[6])
if ARGV[5] == epoch and asked and asked >= at and asked <= seq then at = asked end
local entries = at < seq and redis.call('XRANGE', events, digits(at + 1) .. '-0', '+', 'COUNT', ARGV[7]) or {}
return { 'page', epoch, seq, at, isOver and 1 or 0, entries }
`
)

export const SNAPSHOT: Script = script(
  FIND,
  `
if not epoch then return { redis.call('EXISTS', gone) == 1 and 'gone' or 'unknown' } end
return { 'snapshot', epoch, seq, status, redis.call('HMGET', state, 'progress', 'result', 'error') }
`
)
