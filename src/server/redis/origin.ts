import type { RedisClientOptions } from 'redis'
import { type Client, type IoredisLike, type NodeRedisLike, type Opening, openIoredis, openNodeRedis } from './client.ts'
import { masterAddress, type SentinelOptions } from './sentinel.ts'

/** Where Redis is, and how to speak to it. */
export interface Origin {
  /** A new client of a node: `host:port` as a redirection names it, or without one of those known from the start, in turn. */
  open(address: string | undefined, attempt: number, opening: Opening): Client | Promise<Client>
}

/** A client of one's own, or a cluster: what is made of it has its options, and connections of its own. */
export type OwnClient = NodeRedisLike | { readonly _options: { rootNodes: RedisClientOptions[]; defaults?: RedisClientOptions } } | IoredisLike | IoredisCluster

/** Cluster of ioredis. */
interface IoredisCluster {
  readonly isCluster: boolean
  nodes(role?: 'all'): IoredisLike[]
  connect(): Promise<unknown>
  readonly status: string
}

export interface OriginOptions {
  urls: readonly string[]
  client: OwnClient | undefined
  clientOptions: RedisClientOptions | undefined
  sentinel: SentinelOptions | undefined
}

export function originOf({ urls, client, clientOptions = {}, sentinel }: OriginOptions): Origin {
  if (sentinel)
    return {
      open: async (address, attempt, opening) =>
        openNodeRedis(at(clientOptions, address ?? (await masterAddress(sentinel, opening.timeoutMs, attempt))), opening)
    }
  if (client === undefined) return ofNodes(urls.length > 0 ? urls.map((url) => ({ ...clientOptions, url })) : [clientOptions])
  if (isIoredisCluster(client)) return ofIoredisCluster(client)
  if ('_options' in client) {
    const { rootNodes, defaults = {} } = client._options
    return ofNodes(
      rootNodes.map((node) => ({ ...defaults, ...node, socket: { ...defaults.socket, ...node.socket } as NonNullable<RedisClientOptions['socket']> }))
    ) // as: members are kept
  }
  if ('status' in client) return { open: (address, _, opening) => openIoredis(client, placeOf(address), opening) }
  return ofNodes([client.options])
}

const ofNodes = (nodes: readonly RedisClientOptions[]): Origin => ({
  open: (address, attempt, opening) => openNodeRedis(at(nodes[attempt % nodes.length] ?? {}, address), opening)
})

function ofIoredisCluster(cluster: IoredisCluster): Origin {
  return {
    async open(address, attempt, opening) {
      if (cluster.status === 'wait') await cluster.connect()
      const nodes = cluster.nodes('all')
      const node = nodes[attempt % nodes.length]
      if (!node) throw new Error(`client: the cluster knows none of its nodes (it is "${cluster.status}")`)
      return openIoredis(node, placeOf(address), opening)
    }
  }
}

/** The same user, password and TLS at another address; without a host, on the same one. */
function at({ url, ...options }: RedisClientOptions, address: string | undefined): RedisClientOptions {
  if (address === undefined) return url === undefined ? options : { ...options, url }
  const { host, port } = splitAddress(address)
  if (url !== undefined) {
    const moved = new URL(url)
    if (host !== '') moved.hostname = host.includes(':') ? `[${host}]` : host
    moved.port = String(port)
    return { ...options, url: moved.href }
  }
  return { ...options, socket: { ...options.socket, ...(host === '' ? {} : { host }), port } as NonNullable<RedisClientOptions['socket']> } // as: members are kept
}

function placeOf(address: string | undefined): object {
  if (address === undefined) return {}
  const { host, port } = splitAddress(address)
  return host === '' ? { port } : { host, port }
}

function splitAddress(address: string): { host: string; port: number } {
  const colon = address.lastIndexOf(':')
  return { host: address.slice(0, colon), port: Number(address.slice(colon + 1)) }
}

const isIoredisCluster = (client: object): client is IoredisCluster => 'isCluster' in client && client.isCluster === true && 'nodes' in client

/** What is wrong with a client of one's own, in words. */
export function objectionToClient(client: unknown): string | undefined {
  if (typeof client !== 'object' || client === null) return `got ${client === null ? 'null' : typeof client}`
  if ('getMasterNode' in client || 'acquire' in client) return 'got a Sentinel client: give `sentinel: { name, nodes }` in its place'
  if ('createPool' in client === false && 'execute' in client && !('duplicate' in client)) return 'got a pool: give one client of it'
  if (isIoredisCluster(client)) return undefined
  if ('_options' in client && Array.isArray(Object(client._options).rootNodes)) return undefined
  return 'duplicate' in client && 'options' in client ? undefined : 'got an object without `duplicate` and `options`'
}
