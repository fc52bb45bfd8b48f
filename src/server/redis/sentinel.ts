import type { RedisClientOptions } from 'redis'
import { openNodeRedis } from './client.ts'

/** Where the Sentinels are, and which master to ask them for. */
export interface SentinelOptions {
  /** The master's name in the configuration of the Sentinels, such as `mymaster`. */
  name: string
  /** The Sentinels: asked in turn until one answers. Default port: 26379. */
  nodes: readonly { host: string; port?: number }[]
  /** User, password and TLS of the Sentinels themselves. Those of Redis are in `RedisLogOptions.clientOptions`. */
  clientOptions?: RedisClientOptions
}

/** Asks the Sentinels in turn, and resolves with the master's `host:port`. Rejects where none names it; the message lists what each said. */
export async function masterAddress({ name, nodes, clientOptions = {} }: SentinelOptions, timeoutMs: number, attempt: number): Promise<string> {
  const problems: string[] = []
  for (let index = 0; index < nodes.length; index += 1) {
    const { host = '', port = 26_379 } = nodes[(attempt + index) % nodes.length] ?? {}
    const socket = { ...clientOptions.socket, host, port } as NonNullable<RedisClientOptions['socket']> // as: a spread of a union's member is that member
    const lost = Promise.withResolvers<never>()
    lost.promise.catch(() => {}) // the races below reject with it
    const client = openNodeRedis({ ...clientOptions, socket }, { timeoutMs, onError: lost.reject })
    try {
      await Promise.race([client.connect(), lost.promise])
      const found = await Promise.race([client.command(['SENTINEL', 'GET-MASTER-ADDR-BY-NAME', name]), lost.promise])
      if (Array.isArray(found)) return `${found[0]}:${found[1]}`
      problems.push(`${host}:${port}: knows no master of that name`)
    } catch (error) {
      problems.push(`${host}:${port}: ${error instanceof Error ? error.message : error}`)
    } finally {
      client.destroy()
    }
  }
  throw new Error(`no Sentinel named the master ${JSON.stringify(name)}: ${problems.join('; ')}`)
}
