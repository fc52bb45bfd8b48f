import type { RedisClientOptions } from 'redis'
import { type Client, type IoredisLike, type NodeRedisLike, type OpenOptions, openIoredis, openNodeRedis } from './client.ts'
import { masterAddress, type SentinelOptions } from './sentinel.ts'

/** Makes clients for new connections: by URL, by Sentinel, or with the options of a client that the user gave. */
export interface ClientFactory {
  /**
   * A new client of the node at `address`, a redirection's `host:port`. Without it, of the nodes given by the user: the one whose turn it is at this
   * `attempt`.
   */
  open(address: string | undefined, attempt: number, opening: OpenOptions): Client | Promise<Client>
}

/** A client or cluster of `redis` or `ioredis`, whose options are copied. It is neither used nor closed. */
export type OwnClient = NodeRedisLike | { readonly _options: { rootNodes: RedisClientOptions[]; defaults?: RedisClientOptions } } | IoredisLike | IoredisCluster

/** A cluster of `ioredis`. */
interface IoredisCluster {
  readonly isCluster: boolean
  nodes(role?: 'all'): IoredisLike[]
  connect(): Promise<unknown>
  readonly status: string
}

export interface ClientFactoryOptions {
  urls: readonly string[]
  client: OwnClient | undefined
  clientOptions: RedisClientOptions | undefined
  sentinel: SentinelOptions | undefined
}

export function createClientFactory({ urls, client, clientOptions = {}, sentinel }: ClientFactoryOptions): ClientFactory {
  if (sentinel)
    return {
      open: async (address, attempt, opening) =>
        openNodeRedis(withAddress(clientOptions, address ?? (await masterAddress(sentinel, opening.timeoutMs, attempt))), opening)
    }
  if (client === undefined) return fromNodes(urls.length > 0 ? urls.map((url) => ({ ...clientOptions, url })) : [clientOptions])
  if (isIoredisCluster(client)) return fromIoredisCluster(client)
  if ('_options' in client) {
    const { rootNodes, defaults = {} } = client._options
    return fromNodes(
      rootNodes.map((node) => ({ ...defaults, ...node, socket: { ...defaults.socket, ...node.socket } as NonNullable<RedisClientOptions['socket']> }))
    ) // as: a spread of a union's member is that member
  }
  if ('status' in client) return { open: (address, _, opening) => openIoredis(client, hostAndPort(address), opening) }
  return fromNodes([client.options])
}

const fromNodes = (nodes: readonly RedisClientOptions[]): ClientFactory => ({
  open: (address, attempt, opening) => openNodeRedis(withAddress(nodes[attempt % nodes.length] ?? {}, address), opening)
})

function fromIoredisCluster(cluster: IoredisCluster): ClientFactory {
  return {
    async open(address, attempt, opening) {
      if (cluster.status === 'wait') await cluster.connect()
      const nodes = cluster.nodes('all')
      const node = nodes[attempt % nodes.length]
      if (!node) throw new Error(`client: the ioredis cluster knows none of its nodes (its status is "${cluster.status}")`)
      return openIoredis(node, hostAndPort(address), opening)
    }
  }
}

/** The same options (user, password, TLS) at another address. An address without a host is another port of the same host. */
function withAddress({ url, ...options }: RedisClientOptions, address: string | undefined): RedisClientOptions {
  if (address === undefined) return url === undefined ? options : { ...options, url }
  const { host, port } = splitAddress(address)
  if (url !== undefined) {
    const moved = new URL(url)
    if (host !== '') moved.hostname = host.includes(':') ? `[${host}]` : host
    moved.port = String(port)
    return { ...options, url: moved.href }
  }
  return { ...options, socket: { ...options.socket, ...(host === '' ? {} : { host }), port } as NonNullable<RedisClientOptions['socket']> } // as: a spread of a union's member is that member
}

function hostAndPort(address: string | undefined): object {
  if (address === undefined) return {}
  const { host, port } = splitAddress(address)
  return host === '' ? { port } : { host, port }
}

function splitAddress(address: string): { host: string; port: number } {
  const colon = address.lastIndexOf(':')
  return { host: address.slice(0, colon), port: Number(address.slice(colon + 1)) }
}

const isIoredisCluster = (client: object): client is IoredisCluster => 'isCluster' in client && client.isCluster === true && 'nodes' in client

/** What is wrong with a client that the user gave, for an error message; `undefined` where it can be used. */
export function objectionToClient(client: unknown): string | undefined {
  if (typeof client !== 'object' || client === null) return `got ${client === null ? 'null' : typeof client}`
  if ('getMasterNode' in client || 'acquire' in client) return 'got a Sentinel client; use `sentinel: { name, nodes }` instead'
  if ('createPool' in client === false && 'execute' in client && !('duplicate' in client)) return 'got a pool; give a single client'
  if (isIoredisCluster(client)) return undefined
  if ('_options' in client && Array.isArray(Object(client._options).rootNodes)) return undefined
  return 'duplicate' in client && 'options' in client ? undefined : 'got an object without `duplicate` and `options`'
}
