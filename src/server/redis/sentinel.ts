import type { RedisClientOptions } from 'redis'
import { openNodeRedis } from './client.ts'

/** Redis Sentinel: who is asked which node is the master, each time a connection is made. */
export interface SentinelOptions {
  /** The master's name there, such as `mymaster`. */
  name: string
  /** Any of them will do: they are asked in turn. Default port 26379. */
  nodes: readonly { host: string; port?: number }[]
  /** How to speak to the Sentinels themselves: their user, password, TLS. Those of Redis are `clientOptions`. */
  clientOptions?: RedisClientOptions
}

/** `host:port` of the master, as the first Sentinel says that answers. */
export async function masterAddress({ name, nodes, clientOptions = {} }: SentinelOptions, timeoutMs: number, attempt: number): Promise<string> {
  const problems: string[] = []
  for (let index = 0; index < nodes.length; index += 1) {
    const { host = '', port = 26_379 } = nodes[(attempt + index) % nodes.length] ?? {}
    const socket = { ...clientOptions.socket, host, port } as NonNullable<RedisClientOptions['socket']> // as: members are kept
    const lost = Promise.withResolvers<never>()
    lost.promise.catch(() => {}) // it is waited for below
    const client = openNodeRedis({ ...clientOptions, socket }, { timeoutMs, onError: lost.reject })
    try {
      await Promise.race([client.connect(), lost.promise])
      const found = await Promise.race([client.command(['SENTINEL', 'GET-MASTER-ADDR-BY-NAME', name]), lost.promise])
      if (Array.isArray(found)) return `${found[0]}:${found[1]}`
      problems.push(`${host}:${port} knows no master ${JSON.stringify(name)}`)
    } catch (error) {
      problems.push(`${host}:${port}: ${error instanceof Error ? error.message : error}`)
    } finally {
      client.destroy()
    }
  }
  throw new Error(`no Sentinel names the master ${JSON.stringify(name)}: ${problems.join('; ')}`)
}
