import { randomBytes } from 'node:crypto'
import { setImmediate as nextTurn } from 'node:timers/promises'
import { RedisClient } from 'redis'
import type { JobSnapshot, JobStatus, ProgressData, WireEvent } from '../../protocol/frames.ts'
import { isTerminal } from '../../protocol/rules.ts'
import { statusAfter } from '../../protocol/status.ts'
import { MAX_TIMER_MS } from '../alarm.ts'
import { createEvent } from '../encode.ts'
import { checkEntry, checkJobId } from '../log/entry.ts'
import type { EventLog, LogPage } from '../log/types.ts'
import { LogError } from '../log/types.ts'
import { closedError } from './connection.ts'
import { createScripts } from './run-scripts.ts'
import { APPEND, READ, type Script, SNAPSHOT } from './scripts.ts'
import { createSeen } from './seen.ts'
import { createWakeUps } from './wake-ups.ts'

export interface RedisLogOptions {
  /** Such as `redis://user:password@host:6379/0`, or `rediss:` for TLS; several nodes of a Redis Cluster, where one may be gone. Default `redis://localhost:6379`. */
  url?: string | readonly string[]
  /** Of all keys and channels. Default `jobtail:`. */
  prefix?: string
  /** Events retained per job, the latest ones. Default 10,000. */
  maxEvents?: number
  /** How long a job is kept after its end. Default an hour. */
  ttlMs?: number
  /**
   * Redis loses nothing that it has acknowledged (`appendfsync always`, no replica that takes over, no copy put back by hand):
   * its restart is no reason for a new epoch. Default false.
   */
  durable?: boolean
  /** How long a call waits for Redis to be there, and to answer, before it rejects with `unavailable`. Default 5000. */
  timeoutMs?: number
}

/** A log in Redis (6.2 or newer, or Valkey), which any number of processes share. It connects at its first use. */
export function redisLog(options: RedisLogOptions = {}): EventLog {
  const { url = 'redis://localhost:6379', prefix = 'jobtail:', maxEvents = 10_000, ttlMs = 3_600_000, durable = false, timeoutMs = 5000 } = options
  if (!Number.isSafeInteger(maxEvents) || maxEvents < 1) throw new RangeError(`maxEvents: expected an integer from 1, got ${maxEvents}`)
  if (!(ttlMs >= 0)) throw new RangeError(`ttlMs: expected milliseconds from 0, got ${ttlMs}`)
  if (!(timeoutMs >= 1)) throw new RangeError(`timeoutMs: expected milliseconds from 1, got ${timeoutMs}`)
  const urls = typeof url === 'string' ? [url] : url
  if (urls.length === 0) throw new RangeError('url: expected one at least')
  if (!urls.every(isRedisUrl)) throw new TypeError('url: expected "redis://…" or "rediss://…"') // not quoted: it may have a password
  const where = { urls, timeoutMs: Math.min(timeoutMs, MAX_TIMER_MS) }
  const scripts = createScripts(where)
  const wakeUps = createWakeUps(where)
  const seen = createSeen()
  /** Reads that have not begun yet: the readers that one event has woken read it once. */
  const coming = new Map<string, Promise<unknown>>()
  const process = randomBytes(6).toString('base64url')
  let appends = 0
  let closed = false

  /** Braces around the job: in a cluster all of its keys are in one place. */
  const keyOf = (job: string, part: string) => `${prefix}{${encodeURIComponent(job)}}:${part}`
  const channelOf = (job: string) => keyOf(job, 'wake')

  function seenOf(job: string): string[] {
    const { epoch, seq } = seen.get(job) ?? { epoch: '', seq: 0 }
    return [epoch, String(seq)]
  }

  function run(script: Script, job: string, args: readonly string[], ifAgain: readonly string[] = []): Promise<unknown[]> {
    if (closed) throw closedError()
    const keys = ['state', 'events', 'gone'].map((part) => keyOf(job, part))
    return scripts.run(script, keys, (again) => [freshEpoch(), durable ? '1' : '0', ...seenOf(job), ...args, ...(again ? ifAgain : [])])
  }

  async function append(job: string, type: string, data: unknown, { expectSeq }: { expectSeq?: number } = {}): Promise<WireEvent> {
    if (closed) throw closedError()
    checkJobId(job)
    const json = checkEntry(job, type, data)
    appends += 1
    const ttl = ttlMs === Number.POSITIVE_INFINITY ? '' : String(Math.min(Number.MAX_SAFE_INTEGER / 4, Math.max(1, Math.round(ttlMs))))
    const args = [type, json, nextStatus(type), fieldOf(type), isTerminal(type) ? '1' : '0', String(expectSeq ?? ''), String(maxEvents), ttl]
    const reply = await run(APPEND, job, [...args, channelOf(job), `${process}${appends}`], seenOf(job))
    const name = JSON.stringify(job)
    if (reply[0] === 'conflict') throw new LogError('conflict', `job ${name}: expected ${expectSeq} events before "${type}", found ${reply[1]}`)
    if (reply[0] === 'ended') throw new LogError('ended', `job ${name} has ended with "${reply[1]}": "${type}" cannot be appended`)
    const [, epoch, seq, ms] = reply as [string, string, number, number] // as: see the script
    seen.set(job, epoch, seq)
    return eventOf(job, epoch, seq, type, ms, json)
  }

  async function readPage(job: string, after: string | undefined, limit: number): Promise<LogPage | undefined> {
    const [, afterEpoch = '', afterSeq = ''] = /^(.+)-(0|[1-9]\d{0,14})$/.exec(after ?? '') ?? []
    const reply = await run(READ, job, [afterEpoch, afterSeq, String(Math.min(limit, Number.MAX_SAFE_INTEGER))])
    if (isMissing(reply, job)) return undefined
    const [, epoch, last, seq, isOver, entries] = reply as [string, string, number, number, number, [string, string[]][]] // as: see the script
    seen.set(job, epoch, last)
    const events = entries.map(([id, [, type = '', , ms, , data = 'null']]) => eventOf(job, epoch, Number.parseInt(id, 10), type, Number(ms), data))
    const end = seq + events.length
    return { events, epoch, seq, cursor: `${epoch}-${seq}`, done: isOver === 1 && end === last, more: end < last }
  }

  async function readSnapshot(job: string): Promise<JobSnapshot | undefined> {
    const reply = await run(SNAPSHOT, job, [])
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
    append,
    read: (job, after, limit) => shared(JSON.stringify([job, after, limit]), () => readPage(job, after, limit)),
    snapshot: (job) => shared(JSON.stringify(job), () => readSnapshot(job)),
    async watch(job, wake) {
      if (closed) throw closedError()
      return wakeUps.listen(channelOf(job), wake)
    },
    async close() {
      closed = true
      scripts.close()
      wakeUps.close()
    }
  }
}

function isRedisUrl(url: string): boolean {
  try {
    RedisClient.parseURL(url)
    return true
  } catch {
    return false
  }
}

const freshEpoch = (): string => `${Date.now().toString(36)}${randomBytes(3).toString('hex')}`

/** Empty where it stays as it is. */
function nextStatus(type: string): JobStatus | '' {
  const next = statusAfter(type, 'queued')
  return next === statusAfter(type, 'running') ? next : ''
}

function fieldOf(type: string): string {
  if (type === 'progress') return 'progress'
  if (type === 'succeeded') return 'result'
  return isTerminal(type) ? 'error' : ''
}

const eventOf = (job: string, epoch: string, seq: number, type: string, ms: number, json: string): WireEvent =>
  createEvent(`${epoch}-${seq}`, seq, job, type, new Date(ms).toISOString(), json)

function snapshotOf(snapshot: JobSnapshot, [progress, result, error]: (string | null)[]): JobSnapshot {
  if (progress != null) snapshot.progress = JSON.parse(progress) as ProgressData // as: by convention; passed on to clients, who check it
  if (result != null) snapshot.result = JSON.parse(result)
  if (error != null) snapshot.error = JSON.parse(error)
  return snapshot
}
