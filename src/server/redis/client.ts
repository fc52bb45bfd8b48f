import { createClient as createNodeRedis, ErrorReply, type RedisClientOptions } from 'redis'

/** A connection to one Redis, of whichever library: it lives as long as its socket, and neither connects again nor keeps commands by itself. */
export interface Client {
  connect(): Promise<unknown>
  command(args: readonly string[]): Promise<unknown>
  subscribe(channels: readonly string[], listener: (message: string, channel: string) => void): Promise<unknown>
  unsubscribe(channel: string, listener: (message: string, channel: string) => void): Promise<unknown>
  destroy(): void
}

/** What a client of one's own is asked for: another one with its options. */
export interface NodeRedisLike {
  readonly options: RedisClientOptions
  duplicate(overrides: object): unknown
}

export interface IoredisLike {
  readonly options: object
  readonly status: string
  duplicate(overrides: object): unknown
}

/** `timeoutMs` also bounds connecting. */
export interface Opening {
  timeoutMs: number
  onError: (error: unknown) => void
}

/** With these options; whatever they say of connecting again is left out. */
export function openNodeRedis({ keyPrefix: _, ...options }: RedisClientOptions, { timeoutMs, onError }: Opening): Client {
  // Without `keyPrefix`: it would stand before the keys, and not before the channels.
  const client = createNodeRedis({
    ...options,
    disableOfflineQueue: true,
    maintNotifications: 'disabled',
    socket: { ...options.socket, reconnectStrategy: false, connectTimeout: timeoutMs } as NonNullable<RedisClientOptions['socket']> // as: a union's members are kept
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

/** Like one of ioredis', at its address or another one. */
export function openIoredis(own: IoredisLike, place: object, { timeoutMs, onError }: Opening): Client {
  const client = own.duplicate({
    ...place,
    lazyConnect: true,
    retryStrategy: () => null,
    reconnectOnError: null,
    autoResubscribe: false,
    enableOfflineQueue: false,
    maxRetriesPerRequest: 0,
    connectTimeout: timeoutMs,
    keyPrefix: ''
  }) as Ioredis // as: what it makes is of its own kind
  let listen: ((message: string, channel: string) => void) | undefined
  client.on('error', onError)
  client.on('close', () => onError(new Error('the connection was closed')))
  client.on('message', (channel: string, message: string) => listen?.(message, channel))
  return {
    connect: () => client.connect(),
    command: ([command = '', ...args]) => client.call(command, ...args),
    subscribe(channels, listener) {
      listen = listener // all channels of a connection have the same one
      return client.subscribe(...channels)
    },
    unsubscribe: (channel) => client.unsubscribe(channel),
    destroy: () => client.disconnect()
  }
}

/** Redis has answered, and this is its answer: also from another copy of the library, or another library. */
export function isReply(error: unknown): error is Error {
  if (error instanceof ErrorReply) return true
  for (let kind = Object(error).constructor; typeof kind === 'function' && kind !== Error; kind = Object.getPrototypeOf(kind))
    if (kind.name === 'ErrorReply' || kind.name === 'ReplyError') return true
  return false
}
