import { RedisClient, type RedisClientOptions } from 'redis'
import { show } from '../log/entry.ts'
import { MAX_TIMER_MS } from '../long-timeout.ts'
import { type ClientFactory, createClientFactory, type OwnClient, objectionToClient } from './client-factory.ts'
import type { SentinelOptions } from './sentinel.ts'

/** Options of `redisLog`. `undefined` is the default. At most one of `url`, `client` and `sentinel` may be given. */
export interface RedisLogOptions {
  /**
   * Where Redis is: `redis://user:password@host:6379/0`, or `rediss:` for TLS. Of a Redis Cluster, one node or a list of several: redirections lead to the
   * others, and the list is for the time when one of them is down.
   *
   * @defaultValue `'redis://localhost:6379'`
   */
  url?: string | readonly string[]
  /**
   * A client whose options are copied: of `redis` (`createClient`, `createCluster`) or of `ioredis` (`Redis`, `Cluster`), with its TLS, user, credentials
   * provider, or Sentinels of ioredis. The log makes connections of its own. The client needn't be connected, and is never closed.
   */
  client?: OwnClient
  /** Options of `createClient` of `redis`, together with `url` or `sentinel`: `socket` (TLS, CA), `username`, `password`, `credentialsProvider`, `database`. */
  clientOptions?: RedisClientOptions
  /** Redis Sentinel: asked at each new connection which node is the master. */
  sentinel?: SentinelOptions
  /**
   * The prefix of all keys and channels.
   *
   * @defaultValue `'jobtail:'`
   */
  prefix?: string
  /**
   * How many events are retained for each job: the latest. An integer from 1.
   *
   * @defaultValue 10,000
   */
  maxEvents?: number
  /**
   * How many bytes of data (JSON in UTF-8) are retained for each job: the latest events. The last event is always retained. From 1; `Infinity`: no limit.
   *
   * @defaultValue 64 MiB
   */
  maxBytes?: number
  /**
   * How long a job is kept after its end, in ms. Also how long a job that nobody reads is kept after its lease has expired. 0: it is dropped at once.
   * `Infinity`: for ever.
   *
   * @defaultValue 3,600,000 (an hour)
   */
  ttlMs?: number
  /**
   * How long a job that has neither ended nor a lease is kept after its last event, in ms, from 1. `Infinity`: for ever.
   *
   * @defaultValue 2,592,000,000 (30 days)
   */
  idleTtlMs?: number
  /**
   * Assumes that Redis loses no write that it has acknowledged, so that its restart needs no new epoch. Only true with `appendfsync always`, without a
   * replica that takes over, and without backups restored by hand. Changes nothing in Redis itself.
   *
   * @defaultValue `false`: each log takes a new epoch after a restart or failover of Redis
   */
  assumeNoLoss?: boolean
  /**
   * How long a call waits for a connection and for an answer, in ms, from 1, before it rejects with `unavailable`.
   *
   * @defaultValue 5000
   */
  timeoutMs?: number
}

/** The checked options with their defaults, in the form that the scripts take: `''` is "for ever". */
export interface RedisLogSettings {
  clients: ClientFactory
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
    clients: clientFactoryOf(options),
    prefix,
    maxEvents: String(maxEvents),
    maxBytes: maxBytes === Number.POSITIVE_INFINITY ? '' : String(Math.floor(maxBytes)),
    ttlMs,
    ttl: ttlArgument(ttlMs),
    idleTtl: ttlArgument(idleTtlMs),
    assumeNoLoss: assumeNoLoss ? '1' : '',
    timeoutMs: Math.min(timeoutMs, MAX_TIMER_MS)
  }
}

function clientFactoryOf({ url, client, clientOptions, sentinel }: RedisLogOptions): ClientFactory {
  const given = Object.entries({ url, client, sentinel }).flatMap(([name, value]) => (value === undefined ? [] : [name]))
  if (given.length > 1) throw new TypeError(`${given.join(', ')}: expected only one of these options`)
  const urls = url === undefined ? [] : typeof url === 'string' ? [url] : url
  if (url !== undefined && (!Array.isArray(urls) || urls.length === 0)) throw new RangeError('url: expected a URL or a list of at least one')
  if (!urls.every(isRedisUrl)) throw new TypeError('url: expected "redis://…" or "rediss://…"') // the URL isn't quoted: it may have a password
  if (clientOptions !== undefined && (typeof clientOptions !== 'object' || clientOptions === null || 'duplicate' in clientOptions))
    throw new TypeError('clientOptions: expected options of createClient of "redis"; a client itself is given as `client`')
  if (clientOptions !== undefined && client !== undefined) throw new TypeError('clientOptions: expected no `client` beside it, whose own options count')
  const objection = client === undefined ? undefined : objectionToClient(client)
  if (objection !== undefined) throw new TypeError(`client: expected a client of "redis" or "ioredis", ${objection}`)
  if (sentinel !== undefined) checkSentinel(sentinel)
  return createClientFactory({ urls, client, clientOptions, sentinel })
}

function checkSentinel({ name, nodes }: SentinelOptions): void {
  if (typeof name !== 'string' || name === '') throw new TypeError(`sentinel.name: expected the master's name, got ${show(name)}`)
  if (!Array.isArray(nodes) || nodes.length === 0) throw new TypeError(`sentinel.nodes: expected a list of { host, port }, got ${show(nodes)}`)
  for (const { host, port = 26_379 } of nodes as { host: unknown; port?: unknown }[]) {
    // as: JavaScript callers may pass anything
    if (typeof host !== 'string' || host === '') throw new TypeError(`sentinel.nodes: expected a host in each, got ${show(host)}`)
    if (!(Number.isInteger(port) && Number(port) >= 1 && Number(port) <= 65_535))
      throw new RangeError(`sentinel.nodes: expected a port from 1 to 65535, got ${show(port)}`)
  }
}

const ttlArgument = (ms: number): string => (ms === Number.POSITIVE_INFINITY ? '' : String(Math.min(Number.MAX_SAFE_INTEGER / 4, Math.max(1, Math.round(ms)))))

function isRedisUrl(url: string): boolean {
  try {
    RedisClient.parseURL(url)
    return true
  } catch {
    return false
  }
}
