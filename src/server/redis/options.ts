import { RedisClient, type RedisClientOptions } from 'redis'
import { show } from '../log/entry.ts'
import { MAX_TIMER_MS } from '../long-timeout.ts'
import { type Origin, type OwnClient, objectionToClient, originOf } from './origin.ts'
import type { SentinelOptions } from './sentinel.ts'

export interface RedisLogOptions {
  /** Such as `redis://user:password@host:6379/0`, or `rediss:` for TLS; several nodes of a Redis Cluster, where one may be gone. Default `redis://localhost:6379`. */
  url?: string | readonly string[]
  /**
   * In place of `url`: a client of `redis` (`createClient`, `createCluster`) or of `ioredis` (`Redis`, `Cluster`). What is made of it has its options (TLS,
   * user, credentials provider, Sentinel of ioredis) and connections of its own; it itself need not be connected, and is never closed.
   */
  client?: OwnClient
  /** Options of `redis`' `createClient`, beside `url` or `sentinel`: TLS and its CA (`socket`), `username`, `password`, `credentialsProvider`, `database`. */
  clientOptions?: RedisClientOptions
  /** In place of `url`: who says which node is the master, asked at each new connection. */
  sentinel?: SentinelOptions
  /** Of all keys and channels. Default `jobtail:`. */
  prefix?: string
  /** Events retained per job, the latest ones. Default 10,000. */
  maxEvents?: number
  /** Bytes of data (JSON, UTF-8) retained per job, the latest events; the last one in any case. Default 64 MiB. */
  maxBytes?: number
  /** How long a job is kept after its end; and, where whoever ran it is gone and nobody looks, after its lease. Default an hour. */
  ttlMs?: number
  /** How long a job that has not ended, and has no lease, is kept after its last event. Default 30 days. */
  idleTtlMs?: number
  /**
   * Assumes that Redis loses nothing that it has acknowledged, and makes it so in no way (`appendfsync always`, no replica that takes over, no copy put back by hand):
   * its restart is no reason for a new epoch. Default false.
   */
  assumeNoLoss?: boolean
  /** How long a call waits for Redis to be there, and to answer, before it rejects with `unavailable`. Default 5000. */
  timeoutMs?: number
}

/** The options, checked, with their defaults in place; times as Redis takes them: `''` for ever. */
export interface RedisLogSettings {
  origin: Origin
  prefix: string
  maxEvents: string
  maxBytes: string
  ttlMs: number
  ttl: string
  idleTtl: string
  assumeNoLoss: string
  timeoutMs: number
}

export function settingsOf(options: RedisLogOptions): RedisLogSettings {
  const { prefix = 'jobtail:', maxEvents = 10_000, maxBytes = 2 ** 26 } = options
  const { ttlMs = 3_600_000, idleTtlMs = 30 * 86_400_000, assumeNoLoss = false, timeoutMs = 5000 } = options
  if (!Number.isSafeInteger(maxEvents) || maxEvents < 1) throw new RangeError(`maxEvents: expected an integer from 1, got ${maxEvents}`)
  if (!(maxBytes >= 1)) throw new RangeError(`maxBytes: expected a number from 1, got ${maxBytes}`)
  if (!(ttlMs >= 0)) throw new RangeError(`ttlMs: expected milliseconds from 0, got ${ttlMs}`)
  if (!(idleTtlMs >= 1)) throw new RangeError(`idleTtlMs: expected milliseconds from 1, got ${idleTtlMs}`)
  if (!(timeoutMs >= 1)) throw new RangeError(`timeoutMs: expected milliseconds from 1, got ${timeoutMs}`)
  return {
    origin: checkedOrigin(options),
    prefix,
    maxEvents: String(maxEvents),
    maxBytes: maxBytes === Number.POSITIVE_INFINITY ? '' : String(Math.floor(maxBytes)),
    ttlMs,
    ttl: lifetime(ttlMs),
    idleTtl: lifetime(idleTtlMs),
    assumeNoLoss: assumeNoLoss ? '1' : '',
    timeoutMs: Math.min(timeoutMs, MAX_TIMER_MS)
  }
}

function checkedOrigin({ url, client, clientOptions, sentinel }: RedisLogOptions): Origin {
  const given = Object.entries({ url, client, sentinel }).flatMap(([name, value]) => (value === undefined ? [] : [name]))
  if (given.length > 1) throw new TypeError(`${given.join(', ')}: expected one of them`)
  const urls = url === undefined ? [] : typeof url === 'string' ? [url] : url
  if (url !== undefined && (!Array.isArray(urls) || urls.length === 0)) throw new RangeError('url: expected one at least')
  if (!urls.every(isRedisUrl)) throw new TypeError('url: expected "redis://…" or "rediss://…"') // not quoted: it may have a password
  if (clientOptions !== undefined && (typeof clientOptions !== 'object' || clientOptions === null || 'duplicate' in clientOptions))
    throw new TypeError('clientOptions: expected what createClient of "redis" takes; a client itself is `client`')
  if (clientOptions !== undefined && client !== undefined) throw new TypeError('clientOptions: expected without `client`, which has its own')
  const objection = client === undefined ? undefined : objectionToClient(client)
  if (objection !== undefined) throw new TypeError(`client: expected one of "redis" or of "ioredis", ${objection}`)
  if (sentinel !== undefined) checkSentinel(sentinel)
  return originOf({ urls, client, clientOptions, sentinel })
}

function checkSentinel({ name, nodes }: SentinelOptions): void {
  if (typeof name !== 'string' || name === '') throw new TypeError(`sentinel.name: expected the master's name, got ${show(name)}`)
  if (!Array.isArray(nodes) || nodes.length === 0) throw new TypeError(`sentinel.nodes: expected a list of { host, port }, got ${show(nodes)}`)
  for (const { host, port = 26_379 } of nodes as { host: unknown; port?: unknown }[]) {
    // as: what JavaScript lets through
    if (typeof host !== 'string' || host === '') throw new TypeError(`sentinel.nodes: expected a host in each, got ${show(host)}`)
    if (!(Number.isInteger(port) && Number(port) >= 1 && Number(port) <= 65_535))
      throw new RangeError(`sentinel.nodes: expected a port from 1 to 65535, got ${show(port)}`)
  }
}

const lifetime = (ms: number): string => (ms === Number.POSITIVE_INFINITY ? '' : String(Math.min(Number.MAX_SAFE_INTEGER / 4, Math.max(1, Math.round(ms)))))

function isRedisUrl(url: string): boolean {
  try {
    RedisClient.parseURL(url)
    return true
  } catch {
    return false
  }
}
