import { lostData, rerunData } from '../log/entry.ts'

/** Reads the named arguments of `argumentsOf` into the table `arg`. */
export const NAMED: string = `
local arg, named = {}, tonumber(ARGV[1])
for at = 2, 2 * named, 2 do arg[ARGV[at]] = ARGV[at + 1] end
`

/** Appends an entry to the stream. Its fields stand in this order; `TYPE`, `MS` and `DATA` are their places in a reply. */
export const put = (seq: string, type: string, data: string, name: string): string =>
  `redis.call('XADD', events, ${seq} .. '-0', 'type', ${type}, 'ms', ms, 'data', ${data}, 'name', ${name})`
export const TYPE = 1
export const MS = 3
export const DATA = 5

/** The JSON of `failed`, split where the lease's ms go. */
const lost = JSON.stringify(lostData('MS')).split('MS')
/** The JSON of `retrying`, split where the attempt and the lease's ms go. */
const again = JSON.stringify(rerunData('MS', 'ATTEMPT')).split(/"ATTEMPT"|MS/)

/**
 * Loads the job's state into local variables, and brings it up to date. Every script but RESET begins with this.
 *
 * Epoch: the state has the `run_id` of the Redis that last wrote it. In another run the log may have lost its tail: Redis was killed before the tail was on
 * disk, a backup was restored, or a replica took over that was behind. So may a log that ends before what this process has seen of it. Both take the new
 * epoch.
 *
 * Lease: an expired lease gets a grace, and its watchers are woken. Once the grace is over, the job ends, or with `rerun` is queued again. Where Redis
 * refuses these writes, because its memory is full, the next script tries again.
 *
 * KEYS: state, events, gone.
 */
export const FIND: string = `
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
-- With rerun, a job without a lease belongs to nobody: an owner that has lost it must not take it back by renewing, only by adopting.
local isAnothers = (owner or maxAttempts) and owner ~= arg.owner
`
