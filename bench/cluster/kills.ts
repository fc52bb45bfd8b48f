/** The schedule of kills and restarts. */

import { globSync, statSync, truncateSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as wait } from 'node:timers/promises'
import type { RedisServer } from '../../test/server/redis-server.ts'
import type { NodeProcess } from './nodes.ts'
import type { ClusterOptions } from './run.ts'

export interface Kill {
  whom: string
  at: number
}

/** How many events have been appended to all jobs. */
export interface Progress {
  readonly done: number
  count(): void
  reached(goal: number): Promise<void>
}

export function createProgress(): Progress {
  const waiting = new Map<number, () => void>()
  let done = 0
  return {
    get done() {
      return done
    },
    count() {
      done += 1
      waiting.get(done)?.()
    },
    reached: (goal) => (goal <= done ? Promise.resolve() : new Promise((resolve) => waiting.set(goal, resolve)))
  }
}

/** Resolves when all processes are restarted and healthy. */
export async function killInTurn(
  { jobs, events, appendfsync, awayMs }: ClusterOptions,
  nodes: NodeProcess[],
  start: (index: number) => Promise<NodeProcess>,
  redis: RedisServer,
  progress: Progress,
  say: (what: string) => void
): Promise<Kill[]> {
  const kills: Kill[] = []
  const share = (ratio: number): number => Math.ceil(ratio * jobs * events)
  const further = (ratio: number): Promise<void> => progress.reached(progress.done + share(ratio))
  const note = (whom: string): void => {
    kills.push({ whom, at: Date.now() })
    say(`${whom} is killed`)
  }
  for (const [index, node] of [...nodes.entries()]) {
    await progress.reached(share(0.2 * (index + 1)))
    note(`node ${index + 1}`)
    await node.kill()
    await further(0.05)
    nodes[index] = await start(index)
  }
  await progress.reached(share(0.6))
  const [file = ''] = globSync(join(redis.folder, '{appendonly.aof,appendonlydir/*.incr.aof}'))
  const { size } = statSync(file)
  await further(0.02)
  note('Redis')
  await redis.kill()
  // A kill loses what the process holds. A power cut also loses what the system has not synced yet.
  if (appendfsync === 'everysec') truncateSync(file, size)
  await wait(awayMs)
  await redis.start()
  await further(0.1)
  return kills
}
