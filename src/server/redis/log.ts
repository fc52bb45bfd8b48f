import { randomBytes } from 'node:crypto'
import { setImmediate as nextTurn } from 'node:timers/promises'
import type { JobSnapshot, JobStatus, WireEvent } from '../../protocol/frames.ts'
import { checkAppend, checkEntries, checkJobId, checkLease } from '../log/entry.ts'
import { closedError, endedError, historyGoneError, leaseConflict, seqConflict } from '../log/log-errors.ts'
import type { AppendOptions, Entry, EventLog, LogPage } from '../log/types.ts'
import { type Arguments, argumentsOf } from './arguments.ts'
import { checkRedis } from './check.ts'
import { changesBy, eventOf, snapshotOf } from './events.ts'
import { DATA, MS, TYPE } from './find-script.ts'
import { createHighWater } from './high-water.ts'
import { type RedisLogOptions, settingsOf } from './options.ts'
import { createScripts } from './run-scripts.ts'
import { APPEND, READ, RENEW, RESET, type Script, SNAPSHOT } from './scripts.ts'
import { createUncertainAppends } from './uncertain-appends.ts'
import { createWakeUps } from './wake-ups.ts'

/**
 * Keeps events in Redis (6.2 or newer, or Valkey), shared by any number of processes. Each append and each read is one Lua script, so that `seq` has no holes
 * and the terminal event is the last. Connects at its first use: one connection for commands (in a cluster, one for each node), and one for wake-ups.
 *
 * Calls wait up to `timeoutMs` for Redis and then reject with a `LogError` of the code `unavailable`. After that an append may be stored or not: repeat it
 * with the same `appendId`.
 *
 * ```ts
 * const jobs = createJobServer({ log: redisLog({ url: 'redis://redis:6379' }) })
 * ```
 *
 * @throws {RangeError} or `TypeError` for an option out of range; the message names it.
 */
export function redisLog(options: RedisLogOptions = {}): EventLog {
  const { clients, prefix, maxEvents, maxBytes, ttlMs, ttl, idleTtl, assumeNoLoss, timeoutMs } = settingsOf(options)
  const scripts = createScripts({ clients, timeoutMs })
  const wakeUps = createWakeUps({ clients, timeoutMs })
  const highWater = createHighWater()
  const uncertain = createUncertainAppends()
  /** Reads that are sent in the next turn of the event loop. Equal reads until then share one: all readers that one event has woken. */
  const pendingReads = new Map<string, Promise<unknown>>()
  const writer = randomBytes(6).toString('base64url')
  let appends = 0
  let closed = false

  /** The braces are the hash tag of a Redis Cluster: all keys of a job are in one slot. */
  const keyOf = (job: string, part: string) => `${prefix}{${encodeURIComponent(job)}}:${part}`
  const channelOf = (job: string) => keyOf(job, 'wake')
  const seenEndOf = (job: string) => highWater.get(job) ?? { epoch: '', seq: 0 }

  /** Runs a script on a job's keys. `ifAgain`: more arguments for a repetition, where the first attempt may have been executed. */
  function run(
    script: Script,
    job: string,
    args: Partial<Arguments> = {},
    entries: readonly string[] = [],
    ifAgain: Partial<Arguments> = {}
  ): Promise<unknown[]> {
    if (closed) throw closedError()
    const keys = ['state', 'events', 'gone'].map((part) => keyOf(job, part))
    return scripts.run(script, keys, (isAgain, runId) => {
      const { epoch, seq } = seenEndOf(job)
      const always = { fresh: freshEpoch(), run: runId, assumeNoLoss, seenEpoch: epoch, seenSeq: String(seq), channel: channelOf(job), ttl, idleTtl }
      return argumentsOf({ ...always, ...args, ...(isAgain ? ifAgain : {}) }, ...entries)
    })
  }

  async function appendMany(job: string, entries: readonly Entry[], options: AppendOptions = {}): Promise<WireEvent[]> {
    if (closed) throw closedError()
    checkJobId(job)
    checkAppend(options)
    const texts = checkEntries(job, entries)
    const types = entries.map(({ type }) => type)
    if (types.length === 0) return []
    const reply = await runAppend(job, types, texts, options)
    const [, epoch, first, ms] = reply as [string, string, number, number] // as: see the script
    highWater.set(job, epoch, first + types.length - 1)
    return types.map((type, index) => eventOf(job, epoch, first + index, type, ms, texts[index] ?? 'null'))
  }

  async function runAppend(
    job: string,
    types: readonly string[],
    texts: readonly string[],
    { expectSeq, appendId, firstTry, lease, rerun }: AppendOptions
  ): Promise<unknown[]> {
    appends += 1
    const name = appendId ?? `${writer}${appends}`
    const earlier = appendId === undefined ? undefined : uncertain.get(job, name)
    const searchFrom = earlier ?? seenEndOf(job)
    const again: Partial<Arguments> = { again: '1', afterEpoch: searchFrom.epoch, afterSeq: String(searchFrom.seq) }
    const args: Partial<Arguments> = {
      ...changesBy(types),
      ...(lease && { owner: lease.owner, lease: String(Math.ceil(lease.ms)) }),
      ...(rerun && { maxAttempts: String(rerun.maxAttempts), input: rerun.input }),
      expect: String(expectSeq ?? ''),
      maxEvents,
      maxBytes,
      name,
      type: types.at(-1) ?? '',
      ...(earlier ? again : appendId !== undefined && !firstTry && { again: '1' })
    }
    const entries = types.flatMap((type, index) => [type, texts[index] ?? 'null'])
    const reply = await uncertain.track(job, appendId, searchFrom, run(APPEND, job, args, entries, again))
    const [first = ''] = types
    if (reply[0] === 'conflict') throw seqConflict(job, first, expectSeq, reply[1])
    if (reply[0] === 'ended') throw endedError(job, first, reply[1])
    if (reply[0] === 'held') throw leaseConflict(job)
    return reply
  }

  async function readPage(job: string, after: string | undefined, limit: number): Promise<LogPage | undefined> {
    const [, afterEpoch = '', afterSeq = ''] = /^(.+)-(0|[1-9]\d{0,14})$/.exec(after ?? '') ?? []
    const reply = await run(READ, job, { afterEpoch, afterSeq, limit: String(Math.min(limit, Number.MAX_SAFE_INTEGER)) })
    if (isMissing(reply, job)) return undefined
    const [, epoch, last, seq, isOver, entries, leaseMs] = reply as [string, string, number, number, number, [string, string[]][], number] // as: see the script
    highWater.set(job, epoch, last)
    const events = entries.map(([id, fields]) => eventOf(job, epoch, Number.parseInt(id, 10), fields[TYPE] ?? '', Number(fields[MS]), fields[DATA] ?? 'null'))
    const end = seq + events.length
    const page: LogPage = { events, epoch, seq, cursor: `${epoch}-${seq}`, done: isOver === 1 && end === last, more: end < last }
    return leaseMs < 0 ? page : { ...page, leaseMs }
  }

  async function readSnapshot(job: string): Promise<JobSnapshot | undefined> {
    const reply = await run(SNAPSHOT, job)
    if (isMissing(reply, job)) return undefined
    const [, epoch, seq, status, fields] = reply as [string, string, number, JobStatus, (string | null)[]] // as: see the script
    highWater.set(job, epoch, seq)
    return snapshotOf({ id: job, status, epoch, seq, cursor: `${epoch}-${seq}` }, fields)
  }

  function shareRead<T>(key: string, read: () => Promise<T>): Promise<T> {
    const found = pendingReads.get(key) as Promise<T> | undefined // as: the key determines the type
    if (found) return found
    const begun = nextTurn().then(() => {
      pendingReads.delete(key) // a later caller may have been woken by an event that this read doesn't see
      return read()
    })
    pendingReads.set(key, begun)
    return begun
  }

  function isMissing([found]: unknown[], job: string): boolean {
    if (found === 'gone') throw historyGoneError(job, ttlMs)
    return found === 'unknown'
  }

  return {
    appendMany,
    async append(job, type, data, options) {
      const [event] = await appendMany(job, [{ type, data }], options)
      return event as WireEvent // as: one entry gives one event
    },
    read: (job, after, limit) => shareRead(JSON.stringify([job, after, limit]), () => readPage(job, after, limit)),
    snapshot: (job) => shareRead(JSON.stringify(job), () => readSnapshot(job)),
    async watch(job, wake) {
      if (closed) throw closedError()
      return wakeUps.subscribe(channelOf(job), wake)
    },
    async renew(job, owner, ms) {
      checkJobId(job)
      if (ms !== 0) checkLease(owner, ms)
      const [isHeld] = await run(RENEW, job, { owner, lease: String(Math.ceil(ms)) })
      return isHeld === 1
    },
    async adopt(job, owner, ms) {
      checkJobId(job)
      checkLease(owner, ms)
      const [isHeld, input, attempt] = (await run(RENEW, job, { owner, lease: String(Math.ceil(ms)), adopt: '1' })) as [number, string, number] // as: see the script
      return isHeld === 1 ? { input, attempt } : undefined
    },
    async reset(job) {
      checkJobId(job)
      await run(RESET, job)
    },
    check: () =>
      checkRedis({
        append: (job) => appendMany(job, [{ type: 'succeeded', data: null }]),
        reset: (job) => run(RESET, job),
        subscribe: (job) => wakeUps.subscribe(channelOf(job), () => {}),
        command: (job, command) => scripts.command(keyOf(job, 'gone'), command(keyOf(job, 'gone')))
      }),
    async close() {
      closed = true
      scripts.close()
      wakeUps.close()
    }
  }
}

const freshEpoch = (): string => `${Date.now().toString(36)}${randomBytes(3).toString('hex')}`
