import { createClient as createNodeRedis, ErrorReply, type RedisClientOptions } from 'redis'

/** A connection to one Redis, by either library. It lives as long as its socket: it neither reconnects nor queues commands by itself. */
export interface Client {
  connect(): Promise<unknown>
  command(args: readonly string[]): Promise<unknown>
  subscribe(channels: readonly string[], listener: (message: string, channel: string) => void): Promise<unknown>
  unsubscribe(channel: string, listener: (message: string, channel: string) => void): Promise<unknown>
  destroy(): void
}

/** A client of `redis` that the user gives: its options are copied. */
export interface NodeRedisLike {
  readonly options: RedisClientOptions
  duplicate(overrides: object): unknown
}

/** A client of `ioredis` that the user gives: it is duplicated. */
export interface IoredisLike {
  readonly options: object
  readonly status: string
  duplicate(overrides: object): unknown
}

/** How to open a client. `timeoutMs` bounds connecting. */
export interface OpenOptions {
  timeoutMs: number
  onError: (error: unknown) => void
}

/** Makes a client of `redis` with these options, but without reconnecting and without an offline queue. */
export function openNodeRedis({ keyPrefix: _, ...options }: RedisClientOptions, { timeoutMs, onError }: OpenOptions): Client {
  // `keyPrefix` is left out: it would be put before the keys, but not before the channels.
  const client = createNodeRedis({
    ...options,
    disableOfflineQueue: true,
    maintNotifications: 'disabled',
    socket: { ...options.socket, reconnectStrategy: false, connectTimeout: timeoutMs } as NonNullable<RedisClientOptions['socket']> // as: a spread of a union's member is that member
  })
  client.on('error', onError)
  return {
    connect: () => client.connect(),
    command: (args) => client.sendCommand([...args]),
    subscribe: (channels, listener) => client.subscribe([...channels], listener),
    unsubscribe: (channel, listener) => client.unsubscribe(channel, listener),
    destroy: () => client.destroy()
  }
}

interface Ioredis {
  connect(): Promise<unknown>
  call(command: string, ...args: string[]): Promise<unknown>
  subscribe(...channels: string[]): Promise<unknown>
  unsubscribe(channel: string): Promise<unknown>
  on(event: string, listener: (...args: never[]) => void): unknown
  disconnect(): void
}

/** Makes a client of `ioredis` with the options of `own`, at its address or at `place`. */
export function openIoredis(original: IoredisLike, address: object, { timeoutMs, onError }: OpenOptions): Client {
  const client = original.duplicate({
    ...address,
    lazyConnect: true,
    retryStrategy: () => null,
    reconnectOnError: null,
    autoResubscribe: false,
    enableOfflineQueue: false,
    maxRetriesPerRequest: 0,
    connectTimeout: timeoutMs,
    keyPrefix: ''
  }) as Ioredis // as: `duplicate` returns a client of the same library
  let listen: ((message: string, channel: string) => void) | undefined
  client.on('error', onError)
  client.on('close', () => onError(new Error('the connection was closed')))
  client.on('message', (channel: string, message: string) => listen?.(message, channel))
  return {
    connect: () => client.connect(),
    command: ([command = '', ...args]) => client.call(command, ...args),
    subscribe(channels, listener) {
      listen = listener // every channel of a connection has the same listener
      return client.subscribe(...channels)
    },
    unsubscribe: (channel) => client.unsubscribe(channel),
    destroy: () => client.disconnect()
  }
}

/**
 * Whether an error is an answer of Redis, rather than a lost connection. Recognised by class names: there may be two copies of a library, and two libraries.
 */
export function isReply(error: unknown): error is Error {
  if (error instanceof ErrorReply) return true
  for (let kind = Object(error).constructor; typeof kind === 'function' && kind !== Error; kind = Object.getPrototypeOf(kind))
    if (kind.name === 'ErrorReply' || kind.name === 'ReplyError') return true
  return false
}
