import { vi } from 'vitest'
import { freePort, type RedisServer, startRedis } from './redis-server.ts'

export const SLOTS = 16_384

/** Starts three masters that share the slots. Adds each to `started`, so that the caller can remove it. */
export async function startCluster(started: RedisServer[]): Promise<void> {
  const nodes: { redis: RedisServer; bus: number }[] = []
  for (let n = 0; n < 3; n += 1) {
    const bus = await freePort()
    const redis = await startRedis(['--cluster-enabled', 'yes', '--cluster-port', String(bus), '--cluster-require-full-coverage', 'no'])
    nodes.push({ bus, redis })
    started.push(redis)
  }
  const [first] = nodes
  for (const [index, { redis }] of nodes.entries()) {
    const from = Math.floor((index * SLOTS) / nodes.length)
    const to = Math.floor(((index + 1) * SLOTS) / nodes.length) - 1
    await redis.command('CLUSTER', 'ADDSLOTSRANGE', String(from), String(to))
    if (first && redis !== first.redis) await redis.command('CLUSTER', 'MEET', '127.0.0.1', String(first.redis.port), String(first.bus))
  }
  for (const { redis } of nodes)
    await vi.waitFor(
      async () => {
        const info = String(await redis.command('CLUSTER', 'INFO'))
        if (!info.includes('cluster_state:ok') || !info.includes('cluster_known_nodes:3')) throw new Error(info)
      },
      { timeout: 30_000 }
    )
}
