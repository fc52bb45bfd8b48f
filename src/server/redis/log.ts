import { randomBytes } from 'node:crypto'
import { setImmediate as nextTurn } from 'node:timers/promises'
import type { JobSnapshot, JobStatus, WireEvent } from '../../protocol/frames.ts'
import { isTerminal } from '../../protocol/rules.ts'
import { checkAppend, checkEntry, checkJobId, checkLease } from '../log/entry.ts'
import { type AppendOptions, type Entry, type EventLog, LogError, type LogPage } from '../log/types.ts'
import { type Arguments, argumentsOf } from './arguments.ts'
import { checkRedis } from './check.ts'
import { closedError } from './connection.ts'
import { changesBy, eventOf, snapshotOf } from './events.ts'
import { createHighWater } from './high-water.ts'
import { type RedisLogOptions, settingsOf } from './options.ts'
import { createScripts } from './run-scripts.ts'
import { APPEND, DATA, MS, READ, RENEW, RESET, type Script, SNAPSHOT, TYPE } from './scripts.ts'
import { createUnsure } from './unsure.ts'
import { createWakeUps } from './wake-ups.ts'

/** A log in Redis (6.2 or newer, or Valkey), which any number of processes share. It connects at its first use. */
export function redisLog(options: RedisLogOptions = {}): EventLog {
  const { origin, prefix, maxEvents, maxBytes, ttlMs, ttl, idleTtl, assumeNoLoss, timeoutMs } = settingsOf(options)
  const scripts = createScripts({ origin, timeoutMs })
  const wakeUps = createWakeUps({ origin, timeoutMs })
  const seen = createHighWater()
  const unsure = createUnsure()
  /** Reads that have not begun yet: the readers that one event has woken read it once. */
  const coming = new Map<string, Promise<unknown>>()
  const writer = randomBytes(6).toString('base64url')
  let appends = 0
  let closed = false

  /** Braces around the job: in a cluster all of its keys are in one place. */
  const keyOf = (job: string, part: string) => `${prefix}{${encodeURIComponent(job)}}:${part}`
  const channelOf = (job: string) => keyOf(job, 'wake')
  const seenOf = (job: string) => seen.get(job) ?? { epoch: '', seq: 0 }

  /** `ifAgain`: told besides where the script may have run already. */
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
      const { epoch, seq } = seenOf(job)
      const always = { fresh: freshEpoch(), run: runId, assumeNoLoss, seenEpoch: epoch, seenSeq: String(seq), channel: channelOf(job), ttl, idleTtl }
      return argumentsOf({ ...always, ...args, ...(isAgain ? ifAgain : {}) }, ...entries)
    })
  }

  async function appendMany(job: string, entries: readonly Entry[], options: AppendOptions = {}): Promise<WireEvent[]> {
    if (closed) throw closedError()
    checkJobId(job)
    checkAppend(options)
    const texts = entries.map(({ type, data }) => checkEntry(job, type, data))
    const types = entries.map(({ type }) => type)
    const early = types.findIndex(isTerminal)
    if (early >= 0 && early < types.length - 1) throw new TypeError(`entries: expected "${types[early]}" last, got ${types.length - 1 - early} after it`)
    if (types.length === 0) return []
    const reply = await put(job, types, texts, options)
    const [, epoch, first, ms] = reply as [string, string, number, number] // as: see the script
    seen.set(job, epoch, first + types.length - 1)
    return types.map((type, index) => eventOf(job, epoch, first + index, type, ms, texts[index] ?? 'null'))
  }

  async function put(
    job: string,
    types: readonly string[],
    texts: readonly string[],
    { expectSeq, appendId, firstTry, lease, rerun }: AppendOptions
  ): Promise<unknown[]> {
    appends += 1
    const name = appendId ?? `${writer}${appends}`
    const tried = appendId === undefined ? undefined : unsure.get(job, name)
    const from = tried ?? seenOf(job)
    const again: Partial<Arguments> = { again: '1', afterEpoch: from.epoch, afterSeq: String(from.seq) }
    const args: Partial<Arguments> = {
      ...changesBy(types),
      ...(lease && { owner: lease.owner, lease: String(Math.ceil(lease.ms)) }),
      ...(rerun && { maxAttempts: String(rerun.maxAttempts), input: rerun.input }),
      expect: String(expectSeq ?? ''),
      maxEvents,
      maxBytes,
      name,
      type: types.at(-1) ?? '',
      ...(tried ? again : appendId !== undefined && !firstTry && { again: '1' })
    }
    const entries = types.flatMap((type, index) => [type, texts[index] ?? 'null'])
    const reply = await unsure.watch(job, appendId, from, run(APPEND, job, args, entries, again))
    const [first = ''] = types
    const shown = JSON.stringify(job)
    if (reply[0] === 'conflict') throw new LogError('conflict', `job ${shown}: expected ${expectSeq} events before "${first}", found ${reply[1]}`)
    if (reply[0] === 'ended') throw new LogError('ended', `job ${shown} has ended with "${reply[1]}": "${first}" cannot be appended`)
    if (reply[0] === 'held') throw new LogError('conflict', `job ${shown}: another owner has its lease`)
    return reply
  }

  async function readPage(job: string, after: string | undefined, limit: number): Promise<LogPage | undefined> {
    const [, afterEpoch = '', afterSeq = ''] = /^(.+)-(0|[1-9]\d{0,14})$/.exec(after ?? '') ?? []
    const reply = await run(READ, job, { afterEpoch, afterSeq, limit: String(Math.min(limit, Number.MAX_SAFE_INTEGER)) })
    if (isMissing(reply, job)) return undefined
    const [, epoch, last, seq, isOver, entries, leaseMs] = reply as [string, string, number, number, number, [string, string[]][], number] // as: see the script
    seen.set(job, epoch, last)
    const events = entries.map(([id, fields]) => eventOf(job, epoch, Number.parseInt(id, 10), fields[TYPE] ?? '', Number(fields[MS]), fields[DATA] ?? 'null'))
    const end = seq + events.length
    const page: LogPage = { events, epoch, seq, cursor: `${epoch}-${seq}`, done: isOver === 1 && end === last, more: end < last }
    return leaseMs < 0 ? page : { ...page, leaseMs }
  }

  async function readSnapshot(job: string): Promise<JobSnapshot | undefined> {
    const reply = await run(SNAPSHOT, job)
    if (isMissing(reply, job)) return undefined
    const [, epoch, seq, status, fields] = reply as [string, string, number, JobStatus, (string | null)[]] // as: see the script
    seen.set(job, epoch, seq)
    return snapshotOf({ id: job, status, epoch, seq, cursor: `${epoch}-${seq}` }, fields)
  }

  function shared<T>(wanted: string, begin: () => Promise<T>): Promise<T> {
    const found = coming.get(wanted) as Promise<T> | undefined // as: what is wanted says what it is
    if (found) return found
    const begun = nextTurn().then(() => {
      coming.delete(wanted) // whoever comes later may have been woken for an event that this one lacks
      return begin()
    })
    coming.set(wanted, begun)
    return begun
  }

  function isMissing([found]: unknown[], job: string): boolean {
    if (found === 'gone') throw new LogError('history-gone', `job ${JSON.stringify(job)} and its log are gone: it ended more than ${ttlMs} ms ago`)
    return found === 'unknown'
  }

  return {
    appendMany,
    async append(job, type, data, options) {
      const [event] = await appendMany(job, [{ type, data }], options)
      return event as WireEvent // as: one for one
    },
    read: (job, after, limit) => shared(JSON.stringify([job, after, limit]), () => readPage(job, after, limit)),
    snapshot: (job) => shared(JSON.stringify(job), () => readSnapshot(job)),
    async watch(job, wake) {
      if (closed) throw closedError()
      return wakeUps.listen(channelOf(job), wake)
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
        listen: (job) => wakeUps.listen(channelOf(job), () => {}),
        ask: (job, command) => scripts.ask(keyOf(job, 'gone'), command(keyOf(job, 'gone')))
      }),
    async close() {
      closed = true
      scripts.close()
      wakeUps.close()
    }
  }
}

const freshEpoch = (): string => `${Date.now().toString(36)}${randomBytes(3).toString('hex')}`
