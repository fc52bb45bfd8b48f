import { delimiter, join } from 'node:path'
import { isExecutable } from './browsers.ts'

/** The variable with the path of a redis-server. If it is empty, none is used. */
const VARIABLE = 'REDIS_SERVER_PATH'

/** The path of a Redis server. Debian's `redis-check-rdb`, of `redis-tools`, is one if it is started as `redis-server`, and its package starts no service. */
export function findRedis(): string | undefined {
  const asked = process.env[VARIABLE]
  if (asked !== undefined) return asked || undefined
  const folders = (process.env.PATH ?? '').split(delimiter)
  return ['redis-server', 'valkey-server', 'redis-check-rdb'].flatMap((command) => folders.map((folder) => join(folder, command))).find(isExecutable)
}
